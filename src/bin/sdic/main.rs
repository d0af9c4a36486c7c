//! `sdic`: the pipeline of the page on the command line.

/// Tells on standard error how work goes. Where that was closed nobody is told, and the work goes on.
macro_rules! tell {
    ($($what:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($what)*);
    }};
}

mod commands;
mod directions;
mod edit;
mod paths;
mod trace;

use std::{io, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};
use sdic::{face::PasteMode, pixels, weights::Dtype};

/// Invert a face into a StyleGAN2, edit it, and keep what the inversion would lose.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Convert the authors' checkpoint to a weights directory, or add a file of edit directions to one.
    Import(Import),
    /// Say what a weights directory contains, and check every file of it.
    Inspect {
        /// Weights directory.
        weights: PathBuf,
    },
    /// Find the faces in a photo and write each one aligned, with its quad and points as JSON.
    Align {
        /// JPEG, PNG or WebP file.
        photo: PathBuf,
        /// Directory to write to.
        #[arg(long)]
        out: PathBuf,
        /// Side of the aligned pictures in pixels, from 16 to 4096.
        #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u16).range(16..=4096))]
        size: u16,
    },
    /// Find the 68 points of the face in every picture of a folder of aligned faces.
    ///
    /// The pictures are square and in FFHQ framing. Each gives a row of the file name, x and y of the points of the
    /// iBUG scheme in picture sides (0..1), and the confidence that there is a face (0..1).
    Points {
        /// Folder with JPEG, PNG or WebP files.
        folder: PathBuf,
        /// CSV file to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Reconstruct the face in a photo.
    Invert {
        /// JPEG, PNG or WebP file.
        photo: PathBuf,
        /// PNG, JPEG or WebP file to write, by the ending of its name.
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        with: With,
        /// Also write the plain e4e reconstruction, before compensation.
        #[arg(long)]
        initial: Option<PathBuf>,
        /// Also write DIPN's discrepancy map.
        #[arg(long)]
        discrepancy: Option<PathBuf>,
    },
    /// Edit the face in a photo, or in each of many.
    Edit(edit::Edit),
    /// Draw a made-up face, and edit it; needs weights with a mapping network.
    Sample(edit::Drawing),
    /// List the sliders of a model, or find some in the model itself.
    Directions(directions::Find),
    /// Write every intermediate of an inversion and of the reference's edits, to compare implementations.
    Trace(trace::Trace),
}

/// Exactly one of `--out` and `--into`.
#[derive(Args)]
struct Import {
    /// PyTorch checkpoint; or, with --into, a PyTorch, safetensors or NumPy file with a direction or a GANSpace basis.
    file: PathBuf,
    /// New weights directory to write.
    #[arg(long, conflicts_with = "into", required_unless_present = "into")]
    out: Option<PathBuf>,
    /// How weights are stored: f32, f16 or q8.
    #[arg(long, default_value = "f16", conflicts_with = "into")]
    dtype: Dtype,
    /// Existing weights directory to add directions to.
    #[arg(long)]
    into: Option<PathBuf>,
    /// Name of the direction or basis; the file's own name if not given.
    #[arg(long, requires = "into")]
    name: Option<String>,
}

/// With what to work on photos.
#[derive(Args)]
struct With {
    /// Weights directory.
    #[arg(long, default_value = "weights")]
    weights: PathBuf,
    /// Format to write, whatever the name says.
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    /// The picture is an aligned face already, or has the shape of a model without faces; write only that.
    #[arg(long)]
    aligned: bool,
    /// Which face, counted from the largest.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    face: u32,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t = Backend::Cpu)]
    backend: Backend,
}

#[derive(Clone, Copy, ValueEnum)]
enum Backend {
    /// The processor.
    Cpu,
    /// A GPU, through Vulkan, Metal or DirectX.
    #[cfg(feature = "wgpu")]
    Wgpu,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatArg {
    /// Without loss.
    Png,
    /// Smaller, with a little loss, and without transparency.
    Jpeg,
    /// Without loss, and smaller than PNG.
    Webp,
}

impl From<FormatArg> for pixels::Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Png => Self::Png,
            FormatArg::Jpeg => Self::Jpeg,
            FormatArg::Webp => Self::WebP,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Paste {
    /// The edited face itself.
    Face,
    /// The photo's own pixels, moved, and what the edit changed besides: keeps pores and grain.
    Difference,
}

impl From<Paste> for PasteMode {
    fn from(paste: Paste) -> Self {
        match paste {
            Paste::Face => Self::Face,
            Paste::Difference => Self::Difference,
        }
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Import(import) => commands::import(&import),
        Command::Inspect { weights } => commands::inspect(&weights),
        Command::Align { photo, out, size } => commands::align(&photo, &out, size.into()),
        Command::Points { folder, out } => commands::points(&folder, &out),
        Command::Invert {
            photo,
            out,
            with,
            initial,
            discrepancy,
        } => commands::invert(
            &photo,
            &out,
            &with,
            initial.as_deref(),
            discrepancy.as_deref(),
        ),
        Command::Edit(edit) => edit::run(&edit),
        Command::Sample(drawing) => edit::draw(&drawing),
        Command::Directions(find) => directions::run(&find),
        Command::Trace(trace) => trace::run(&trace),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads what is told wants no more of it.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tell!("sdic: {error}");
            ExitCode::from(2)
        }
    }
}

fn is_closed_pipe(error: &commands::Failure) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
