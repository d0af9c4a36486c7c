//! Why a pickle is refused.

use thiserror::Error;

/// A pickle that cannot be read. `offset` is the position of the opcode.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PickleError {
    /// An opcode that is unknown or refers to what is not in the file.
    #[error("opcode 0x{code:02x}{} at byte {offset} is not known; the file is damaged or no PyTorch file", printable(*code))]
    Opcode {
        /// The opcode.
        code: u8,
        /// Its position.
        offset: usize,
    },
    /// A Python object where data is needed.
    #[error(
        "\"{name}\" at byte {offset} stands where tensors are needed, and only Python could run it; nothing in a file is \
         run here: save the tensors themselves, such as the state_dict, with torch.save"
    )]
    Object {
        /// Module and name of the function or class that makes it.
        name: String,
        /// Position of the opcode that refers to it.
        offset: usize,
    },
    /// The pickle ends before its STOP opcode.
    #[error("ends within the opcode at byte {offset}; the file is cut short")]
    Truncated {
        /// Position of the opcode that is cut.
        offset: usize,
    },
    /// An opcode that does not fit what comes before it.
    #[error("opcode at byte {offset}: {problem}")]
    Malformed {
        /// Position of the opcode.
        offset: usize,
        /// What does not fit.
        problem: &'static str,
    },
}

fn printable(code: u8) -> String {
    match code.is_ascii_graphic() {
        true => format!(" ('{}')", char::from(code)),
        false => String::new(),
    }
}
