"""The map of the folder, kept: imports run downward only."""

from __future__ import annotations

import ast
import pathlib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
# From the lowest to the highest; a module imports from its own layer and those below it.
LAYERS = (
    {"landmarks", "networks"},
    {"sliders", "budgets", "weights", "checkpoints"},
    {"arguments", "editing"},
    {"data", "losses"},
    {"teachers"},
    {"measure"},
    {"recipe"},
    {"remote"},
    {"tests"},
)
LAYER = {name: layer for layer, names in enumerate(LAYERS) for name in names}


def module_of(path: pathlib.Path) -> tuple[str, ...]:
    return path.relative_to(ROOT).with_suffix("").parts


def imported(path: pathlib.Path):
    """Names of the modules of this folder that a file imports, as parts."""
    own = module_of(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = own[: len(own) - node.level]
            target = base + tuple(node.module.split(".")) if node.module else base
            for alias in node.names:
                deeper = (*target, alias.name)
                yield deeper if is_module(deeper) else target


def is_module(parts: tuple[str, ...]) -> bool:
    path = ROOT.joinpath(*parts)
    return path.is_dir() or path.with_suffix(".py").exists()


class Imports(unittest.TestCase):
    FILES = [path for path in sorted(ROOT.rglob("*.py")) if path.name != "__init__.py"]

    def test_every_module_has_a_layer(self):
        self.assertEqual({module_of(path)[0] for path in self.FILES}, set(LAYER))

    def test_imports_run_downward(self):
        for path in self.FILES:
            for target in imported(path):
                above = LAYER[target[0]] > LAYER[module_of(path)[0]]
                self.assertFalse(above, f"{'/'.join(module_of(path))} imports {'.'.join(target)}, which is above it")

    def test_no_circle(self):
        graph = {module_of(path): set(imported(path)) for path in self.FILES}
        done, doing = set(), []

        def visit(module):
            self.assertNotIn(module, doing, f"a circle: {doing}")
            if module in done or module not in graph:
                return
            doing.append(module)
            for target in graph[module]:
                visit(target)
            done.add(doing.pop())

        for module in graph:
            visit(module)


if __name__ == "__main__":
    unittest.main()
