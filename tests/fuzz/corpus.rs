//! Writes the seeds of every reader to `corpus/<reader>/`, for libFuzzer to start from.

use std::{fs, io, path::Path};

#[allow(dead_code, reason = "only the seeds are used")]
mod readers;

fn main() -> io::Result<()> {
    for reader in readers::READERS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(reader.name);
        fs::create_dir_all(&folder)?;
        let seeds = (reader.seeds)();
        for (index, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{index:03}")), seed)?;
        }
        println!("{}: {} seeds", reader.name, seeds.len());
    }
    Ok(())
}
