//! The clap types of `keyfob scan`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// Find the values of your own secrets in files, stdin or staged git changes
///
/// Looks for the values as they are, line by line, and in base64, hex, URLs, JSON and shell quotes.
/// Prints a line for each place, path:line:column: NAME, both counted from 1 and columns in bytes;
/// never the value or the text around it. Fails with exit code 1 when something was found.
///
/// In folders, what .gitignore leaves out, .git itself and symbolic links are passed over; hidden
/// files are not. A file named here is searched in any case. A file with a NUL byte in its first
/// 8 KiB counts as binary and is passed over unless --binary is given. Values shorter than 5 bytes
/// are not looked for.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob scan
  keyfob scan --all-stores src config/prod.yaml
  kubectl logs deploy/api | keyfob scan -
  keyfob scan --staged                  # in .git/hooks/pre-commit

Exit codes: 1 something was found, 0 nothing was, 10 nothing was but not everything could be read.")]
pub struct ScanArgs {
    /// Files and folders; - is stdin [default: the working directory]
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Search the staged content of the files that the next git commit changes (those under PATH)
    #[arg(long)]
    pub staged: bool,
    /// Look for the values of all configured stores that can be read
    #[arg(long)]
    pub all_stores: bool,
    /// Search binary files too
    #[arg(long)]
    pub binary: bool,
    /// Search what .gitignore leaves out too
    #[arg(long, conflicts_with = "staged")]
    pub no_ignore: bool,
}
