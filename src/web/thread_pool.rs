//! The thread pool of the engine's worker: other workers, each with an instance of this module.

use std::rc::Rc;

use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

use super::thrown;
use crate::kernels::{self, Answer, Task, ThreadPool};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "ThreadPool")]
    pub type ThreadPoolJs;
    #[wasm_bindgen(method, getter)]
    fn threads(this: &ThreadPoolJs) -> usize;
    #[wasm_bindgen(method, catch)]
    fn area(this: &ThreadPoolJs, thread: usize, values: usize) -> Result<Float32Array, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn send(this: &ThreadPoolJs, thread: usize, order: &str, count: usize) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn collect(this: &ThreadPoolJs, thread: usize) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method)]
    fn stop(this: &ThreadPoolJs);
}

impl ThreadPool for ThreadPoolJs {
    fn threads(&self) -> usize {
        self.threads()
    }

    fn send(&self, thread: usize, task: &Task) -> bool {
        let count = task.values.iter().map(|values| values.len()).sum();
        let Ok(area) = self.area(thread, task.result.max(count)) else {
            return false;
        };
        let mut start = 0;
        for values in &task.values {
            let end = start + values.len() as u32;
            area.subarray(start, end).copy_from(values);
            start = end;
        }
        self.send(thread, &task.order, count).is_ok()
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

/// Does a thread's share: reads the first `count` values of `area`, writes its result over them, and returns how
/// many values that has.
#[wasm_bindgen(js_name = performTask)]
pub fn perform_task(order: &str, area: &Float32Array, count: u32) -> Result<u32, JsValue> {
    let values = area.subarray(0, count).to_vec();
    let result = kernels::perform(order, &values, area.length() as usize)
        .ok_or_else(|| thrown("task", "the task is damaged; load the page again"))?;
    let length = result.len() as u32;
    area.subarray(0, length).copy_from(&result);
    Ok(length)
}
