"""The processes that train one model together meet at the mean of what each has learned."""

import os
import socket
import unittest

import torch
from torch import multiprocessing, nn

from ..recipe.workers import Workers


def meet(rank: int, port: int, found):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "RANK": str(rank)}
    workers, layer = Workers(), nn.Linear(2, 1)
    for parameter in layer.parameters():
        nn.init.constant_(parameter, 1.0 + 2 * rank)
    workers.synchronise(layer)
    held = [parameter.detach().reshape(-1) for parameter in layer.parameters()]
    found[rank] = torch.cat([*held, torch.tensor([workers.agree(5.0 + rank)])])


class TestWorkers(unittest.TestCase):
    def test_they_hold_the_mean_and_agree_with_the_first(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        found = torch.zeros(2, 4).share_memory_()
        multiprocessing.spawn(meet, (port, found), nprocs=2)
        self.assertEqual(found.tolist(), 2 * [[2.0, 2.0, 2.0, 5.0]])


if __name__ == "__main__":
    unittest.main()
