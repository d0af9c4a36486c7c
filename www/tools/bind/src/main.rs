//! Writes the JavaScript bindings of a compiled engine: `sdic-bind MODULE.wasm FOLDER`.

use std::{env, error::Error, fs};

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let (Some(module), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: sdic-bind MODULE.wasm FOLDER".into());
    };
    // The linker writes such a function around each export of a module that never calls its constructors: every call
    // from JavaScript would run them all.
    const WRAPPER: &[u8] = b".command_export";
    if fs::read(&module)?
        .windows(WRAPPER.len())
        .any(|bytes| bytes == WRAPPER)
    {
        return Err("each call of an export runs all constructors: call __wasm_call_ctors when the module starts".into());
    }
    Ok(Bindgen::new()
        .input_path(module)
        .web(true)?
        .typescript(true)
        .omit_default_module_path(false)
        .remove_name_section(true)
        .generate(folder)?)
}
