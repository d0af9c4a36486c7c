//! The thread pool of the engine's worker: other workers, each with an instance of this module.

use std::rc::Rc;

use js_sys::{Float32Array, Uint8Array};
use wasm_bindgen::prelude::*;

use super::thrown;
use crate::kernels::{self, Answer, ConvolutionTask, ThreadPool};

/// Values before the order in the area of a task: the order's length in bytes, and how many values follow it.
const HEAD: usize = 2;
const HEAD_BYTES: u32 = (HEAD * size_of::<f32>()) as u32;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "ThreadPool")]
    pub type ThreadPoolJs;
    #[wasm_bindgen(method, getter)]
    fn threads(this: &ThreadPoolJs) -> usize;
    #[wasm_bindgen(method, catch)]
    fn area(this: &ThreadPoolJs, thread: usize, values: usize) -> Result<Float32Array, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn send(this: &ThreadPoolJs, thread: usize) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn collect(this: &ThreadPoolJs, thread: usize) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method)]
    fn stop(this: &ThreadPoolJs);
}

impl ThreadPool for ThreadPoolJs {
    fn threads(&self) -> usize {
        self.threads()
    }

    fn send(&self, thread: usize, task: &ConvolutionTask) -> bool {
        let order = task.order.as_bytes();
        let count: usize = task.values.iter().map(|values| values.len()).sum();
        let head = HEAD + order.len().div_ceil(size_of::<f32>());
        let Ok(area) = self.area(thread, task.result.max(head + count)) else {
            return false;
        };
        let bytes = Uint8Array::new(&area.buffer());
        let sizes = [order.len(), count].map(|size| (size as u32).to_le_bytes());
        bytes
            .subarray(0, HEAD_BYTES)
            .copy_from(sizes.as_flattened());
        let end = HEAD_BYTES + order.len() as u32;
        bytes.subarray(HEAD_BYTES, end).copy_from(order);
        let mut start = head as u32;
        for values in &task.values {
            let end = start + values.len() as u32;
            area.subarray(start, end).copy_from(values);
            start = end;
        }
        self.send(thread).is_ok()
    }

    fn collect(&self, thread: usize) -> Answer {
        match self.collect(thread) {
            Ok(values) if values.is_null() => Answer::Withdrawn,
            Ok(values) => match values.dyn_into::<Float32Array>() {
                Ok(values) => Answer::Done(values.to_vec()),
                Err(_) => Answer::Failed,
            },
            Err(_) => Answer::Failed,
        }
    }

    fn stop(&self) {
        self.stop();
    }
}

/// Shares large convolutions of this worker's engine out among `pool` until one of its threads fails.
#[wasm_bindgen(js_name = setThreadPool)]
pub fn set_thread_pool(pool: ThreadPoolJs) {
    kernels::set_thread_pool(Some(Rc::new(pool)));
}

/// Does the task in `area`, writes its result over it, and returns how many values that has.
#[wasm_bindgen(js_name = performTask)]
pub fn perform_task(area: &Float32Array) -> Result<u32, JsValue> {
    let result = read_task(area)
        .and_then(|(order, values)| kernels::perform(&order, &values, area.length() as usize))
        .ok_or_else(|| thrown("task", "the task is damaged; load the page again"))?;
    let length = result.len() as u32;
    area.subarray(0, length).copy_from(&result);
    Ok(length)
}

/// The order and the values of the task in `area`; `None` if its sizes exceed it.
fn read_task(area: &Float32Array) -> Option<(String, Vec<f32>)> {
    let bytes = Uint8Array::new(&area.buffer());
    let head = bytes.subarray(0, HEAD_BYTES).to_vec();
    let size = |at: usize| {
        let size = head.get(4 * at..4 * at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(size))
    };
    let (order, count) = (size(0)?, size(1)?);
    let start = HEAD as u32 + order.div_ceil(size_of::<f32>() as u32);
    if start.checked_add(count)? > area.length() {
        return None;
    }
    let order = bytes.subarray(HEAD_BYTES, HEAD_BYTES + order).to_vec();
    let values = area.subarray(start, start + count).to_vec();
    Some((String::from_utf8(order).ok()?, values))
}
