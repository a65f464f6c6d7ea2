//! Runs a program as a user would.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Its path.
pub(crate) struct Program(pub(crate) &'static str);

/// A folder of one test's own, empty.
pub(crate) fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).expect("it is ours");
    }
    std::fs::create_dir_all(&dir).expect("there is room");
    dir
}

impl Program {
    /// Exit code, stdout, stderr.
    pub(crate) fn run(&self, dir: &Path, arguments: &[&str]) -> (i32, String, String) {
        let done = Command::new(self.0).args(arguments).current_dir(dir).output().expect("it was built");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes text");
        (done.status.code().expect("no signal ended it"), text(done.stdout), text(done.stderr))
    }

    pub(crate) fn holds(&self, seeds: &str) {
        let (code, out, err) = self.run(&folder("holds"), &["sweep", "--seeds", seeds]);
        assert_eq!(code, 0, "{out}{err}");
        for misfortune in ["packets-lost", "packets-corrupted", "crashes", "partitions", "pauses", "clock-changes"] {
            assert!(out.contains(misfortune), "a fault that never struck was not survived: {misfortune} in {out}");
        }
    }

    pub(crate) fn is_deterministic(&self, seeds: &[&str]) {
        for seed in seeds {
            let (code, out, _) = self.run(&folder("deterministic"), &["diff", "--seed", seed]);
            assert_eq!(code, 0, "{out}");
        }
    }

    /// A sweep finds what is planted, by this check; it is made small and fails again. What is left of it, in words.
    pub(crate) fn finds(&self, plant: &str, seeds: &str, check: &str, dir: &Path) -> String {
        let sweep = ["--plant", plant, "sweep", "--seeds", seeds, "--until-failures", "1", "--format", "json"];
        let (code, out, err) = self.run(dir, &sweep);
        assert_eq!(code, 1, "{out}{err}");
        let result: serde_json::Value = serde_json::from_str(&out).expect("it is JSON");
        let first = &result["failures"][0];
        assert_eq!(first["check"], check, "{out}");
        let seed = first["first_seed"].to_string();
        let (code, text, err) = self.run(dir, &["--plant", plant, "shrink", "--seed", &seed, "--out", "small.json"]);
        assert!(code == 1 && err.contains("nothing of this can go"), "{text}{err}");
        let (code, out, _) = self.run(dir, &["replay", "small.json"]);
        assert!(code == 1 && out.starts_with("same\n"), "{out}");
        text
    }
}
