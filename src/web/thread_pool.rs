//! The engine's further threads: other workers, each with an instance of this module in the same memory.

use wasm_bindgen::prelude::*;

use crate::kernels;

/// This module, for further threads to start.
#[wasm_bindgen(js_name = sharedModule, unchecked_return_type = "WebAssembly.Module")]
pub fn shared_module() -> JsValue {
    wasm_bindgen::module()
}

/// This module's memory, for further threads to work in.
#[wasm_bindgen(js_name = sharedMemory, unchecked_return_type = "WebAssembly.Memory")]
pub fn shared_memory() -> JsValue {
    wasm_bindgen::memory()
}

/// Counts this thread among those that share the engine's work: it is to call `takePart` for ever.
#[wasm_bindgen(js_name = enterPool)]
pub fn enter_pool() {
    kernels::enter();
}

/// Waits, blocking, until the engine has work to share, and does its part of it.
#[wasm_bindgen(js_name = takePart)]
pub fn take_part() {
    kernels::take_part();
}

/// Tells the engine that this thread failed at its part, and that it is not to be waited for.
#[wasm_bindgen(js_name = leaveWork)]
pub fn leave_work() {
    kernels::leave();
}
