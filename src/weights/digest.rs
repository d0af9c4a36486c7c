//! What a file's content is known by.

use sha2::{Digest, Sha256};

/// Bytes that are hashed in one call. A browser runs a function that it has not compiled well yet to its end as it is,
/// but takes the better one for the next call: 23 MB in one call took ten times as long as in pieces.
const PIECE: usize = 1 << 14;

/// The SHA-256 of `bytes`, as 64 lower-case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    for piece in bytes.chunks(PIECE) {
        hash.update(piece);
    }
    let digest = hash.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_digest_of_the_whole() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5] {
            let bytes: Vec<u8> = (0..length).map(|i| (i * i % 251) as u8).collect();
            let whole = Sha256::digest(&bytes);
            let digits: String = whole.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(sha256(&bytes), digits, "{length} bytes");
        }
    }
}
