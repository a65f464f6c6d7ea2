//! `new`: writes a scenario to start from.

use crate::cli::Exit;
use crate::terminal::Terminal;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

const STARTER: &str = include_str!("starter.toml");

pub(super) fn new(name: &str, terminal: &Terminal) -> Result<(), Exit> {
    let path = target(name);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !(1..=64).contains(&stem.len()) || !stem.chars().all(is_letter) {
        terminal.say(&format!("error: `{stem}` is not a name: use 1 to 64 letters, digits, `-` and `_`"));
        return Err(Exit::Usage);
    }
    let text = STARTER.replace("NAME", &stem);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        let why = match error.kind() {
            std::io::ErrorKind::AlreadyExists => "it exists and is not overwritten".to_owned(),
            std::io::ErrorKind::NotFound => "its directory does not exist".to_owned(),
            _ => error.to_string(),
        };
        terminal.say(&format!("error: `{}` was not written: {why}", path.display()));
        return Err(Exit::Usage);
    }
    terminal.result(&format!("{}\n", path.display()))?;
    terminal.say(&format!("next: fabric-sim run {}", path.display()));
    Ok(())
}

/// A name goes to where scenarios are; a file is taken as it is.
fn target(name: &str) -> PathBuf {
    let path = Path::new(name);
    let is_file = path.extension().is_some_and(|extension| extension == "toml");
    if is_file || path.components().count() != 1 {
        return path.with_extension("toml");
    }
    let folder = Path::new("scenarios");
    let file = path.with_extension("toml");
    if folder.is_dir() { folder.join(file) } else { file }
}
