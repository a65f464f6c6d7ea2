//! The copy of the sources: planted with every mutant, and built once.

use crate::mutant::{Edit, Mutant, apply};
use crate::{read, write};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where copy and build are, below the root.
const PLACE: &str = "target/mutants";

/// Every changed file of the copy, by its path below the root.
pub(crate) type Planted = BTreeMap<PathBuf, String>;

/// The root of the repository that this program was built from.
pub(crate) fn root() -> Result<PathBuf, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_owned).ok_or_else(|| "no repository around it".to_owned())
}

/// Makes all edits, in memory.
pub(crate) fn plant(root: &Path, harness: &[Edit], mutants: &[Mutant]) -> Result<Planted, String> {
    let mut by_file: BTreeMap<&Path, Vec<&Edit>> = BTreeMap::new();
    for edit in harness.iter().chain(mutants.iter().flat_map(|mutant| &mutant.edits)) {
        by_file.entry(&edit.file).or_default().push(edit);
    }
    let changed = by_file.into_iter().map(|(file, edits)| {
        let text = read(&root.join(file)).map_err(|error| format!("{}: {error}", edits[0].of))?;
        Ok((file.to_owned(), apply(&text, &edits)?))
    });
    let mut planted: Planted = changed.collect::<Result<_, String>>()?;
    planted.insert("fabric/src/mutant.rs".into(), read(&root.join("ci/mutants/harness/mutant.rs"))?);
    Ok(planted)
}

/// Brings the copy up to date and builds its `fabric-sim`: the program.
pub(crate) fn build(root: &Path, planted: &Planted) -> Result<PathBuf, String> {
    let place = root.join(PLACE);
    let tree = place.join("tree");
    let sources = sources(root)?;
    for file in &sources {
        if let Some(text) = planted.get(file) {
            write_changed(&tree.join(file), text.as_bytes())?;
            continue;
        }
        let from = root.join(file);
        let bytes = std::fs::read(&from).map_err(|error| format!("{}: {error}", from.display()))?;
        write_changed(&tree.join(file), &bytes)?;
    }
    for (file, text) in planted.iter().filter(|(file, _)| !sources.contains(file)) {
        write_changed(&tree.join(file), text.as_bytes())?;
    }
    eprintln!("building the copy in {}", tree.display());
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--release", "-p", "fabric-sim"]).current_dir(&tree);
    // Speed of building counts for more here than that of the last few percent.
    cargo.env("CARGO_TARGET_DIR", place.join("build")).env("CARGO_PROFILE_RELEASE_LTO", "off");
    cargo.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16").env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(place.join("build/release/fabric-sim")) } else { Err("the copy does not build".into()) }
}

/// What git knows or would know, apart from this folder.
fn sources(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let output = git.output().map_err(|error| format!("git: {error}"))?;
    let text = String::from_utf8(output.stdout).map_err(|error| format!("git: {error}"))?;
    let files = text.split_terminator('\0').map(PathBuf::from);
    Ok(files.filter(|file| !file.starts_with("ci/mutants") && root.join(file).is_file()).collect())
}

/// Leaves a file alone that is as it should be: cargo looks at its time.
fn write_changed(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if std::fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    write(path, bytes)
}
