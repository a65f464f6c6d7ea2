//! Every command of `README.md` and `docs/*.md` is run, or is in [`NOT_RUN`] with the reason.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod common;

use book::{Ends, Shell, Step, dead_links, steps};
use common::{built, root};
use std::collections::BTreeSet;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;

/// Commands that are not run here, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("ci/fuzz", OTHER_TOOL),
    ("ci/fuzz --planted", OTHER_TOOL),
    ("cargo install --locked --path sim/fabric-sim", INSTALLS),
    ("cargo install --locked --path shims/fabric-node", INSTALLS),
    ("ci/packages --verify", "takes minutes: it builds all packages anew"),
    ("ci/reproducible", "takes minutes: four release builds"),
    ("ci/test", "it is what runs this test"),
    ("cargo bench -p dsoftbus-sim --bench engine", BENCHMARK),
    ("cargo bench -p dsoftbus-sim --bench engine -- 50", BENCHMARK),
    ("cargo bench -p dsoftbus-fabric", BENCHMARK),
    ("cargo bench -p dsoftbus-netstackd --bench stack", BENCHMARK),
    ("cd ci/peers", BENCHMARK),
    ("cargo run --release", BENCHMARK),
    ("cargo run --release -- loopback", BENCHMARK),
    (
        "cargo run -p dsoftbus-tcp --features tokio --example echo_tokio",
        "needs a feature that is off here: ci/test runs it",
    ),
    ("cd sim/examples/others", IN_OTHERS),
    ("cargo run --release --bin raft -- sweep --seeds 0..3000", IN_OTHERS),
    ("cargo run --release --bin quinn -- sweep --seeds 0..500", IN_OTHERS),
    ("cargo run --release --bin raft -- --plant forgets-vote sweep --seeds 0..400 --until-failures 1", IN_OTHERS),
    ("cargo run --release --bin raft -- --plant forgets-vote shrink --seed 210", IN_OTHERS),
    ("cargo run --release --bin raft -- --plant os-random diff --seed 0", IN_OTHERS),
    (
        "scenarios/cluster/slurm.sh 100 /shared/sweep scenarios/flaky-hub.toml --seeds 0..1000000 --nemesis rough",
        NEEDS_SLURM,
    ),
    ("kubectl apply -f scenarios/cluster/indexed-job.yaml", NEEDS_KUBERNETES),
    ("kubectl wait --for=condition=complete --timeout=24h job/fabric-sim-sweep", NEEDS_KUBERNETES),
    ("kubectl apply -f scenarios/cluster/merge.yaml", NEEDS_KUBERNETES),
    ("fabric-sim run scenarios/first-contact.toml --world qemu --out target/vms", NEEDS_QEMU),
    ("fabric-sim run scenarios/first-contact.toml --world qemu --record --out target/vms", NEEDS_QEMU),
    ("fabric-sim replay target/vms/hub-0.log", NEEDS_QEMU),
];

const INSTALLS: &str = "takes minutes, and writes to the home of whoever runs it";
const NEEDS_SLURM: &str = "needs a Slurm: scenarios/cluster/try-slurm brings one and runs it";
const NEEDS_KUBERNETES: &str = "needs a cluster: ci/kubernetes runs what the containers run";
const BENCHMARK: &str = "takes minutes; what it measures is no test";
const IN_OTHERS: &str = "run by tests/book.rs of sim/examples/others, a workspace of its own";
const NEEDS_QEMU: &str = "needs QEMU and builds a guest: tests/qemu.rs of fabric-sim does both, where there is a QEMU";
const OTHER_TOOL: &str = "takes minutes; its targets and corpora are run by the tests of fabric/fuzz/targets";

/// How the programs of this workspace are started without building them anew for each command.
const SPELLINGS: &[(&str, &str)] = &[
    ("cargo run --release -p dsoftbus-sim-lab --example ping -- ", "ping "),
    ("cargo run --release -p fabric-node -- ", "fabric-node "),
    ("cargo run --release -p fabric-sim -- ", "fabric-sim "),
    ("cargo run --release -- ", "fabric-sim "),
    ("time fabric-sim ", "fabric-sim "),
];

fn ends(command: &str) -> Ends {
    if command.starts_with("fabric-node run ") {
        Ends::Later
    } else if command == "fabric-node discover" {
        Ends::OnceShown
    } else {
        Ends::ByItself
    }
}

/// A folder with what a checkout has, for commands to write to. `programs` are in its folder `bin`; nodes listen on the
/// loopback interface only, in a group of their own, so that pages do not hear each other.
fn checkout(name: &str, programs: &Path) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("book").join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("bin")).unwrap();
    copy(&root().join("scenarios"), &dir.join("scenarios"));
    for part in ["docs", "sim"] {
        symlink(root().join(part), dir.join(part)).unwrap();
    }
    fs::write(dir.join("photo.jpg"), [0xd8; 5_000]).unwrap();
    symlink(programs.join("fabric-sim"), dir.join("bin/fabric-sim")).unwrap();
    symlink(programs.join("examples/ping"), dir.join("bin/ping")).unwrap();
    // A port that is free now; what else is sent to it does not come to this group.
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = format!("--listen 127.0.0.1:0 --group 239.43.{}.{}:{port}", port >> 8, port & 255);
    let node = programs.join("fabric-node");
    let script = format!(
        "#!/bin/sh\ncase $1 in id | trust) exec {0} \"$@\" ;; *) exec {0} \"$@\" {place} ;; esac\n",
        node.display()
    );
    let file = dir.join("bin/fabric-node");
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Runs what is to be run, in order, and gives what went otherwise than it should.
fn play(name: &str, steps: &[Step], not_run: &[(&str, &str)], programs: &Path) -> Vec<String> {
    let dir = checkout(name, programs);
    let mut shell = Shell::new(&dir, dir.join("bin"), SPELLINGS, ends);
    let is_run = |step: &&Step| not_run.iter().all(|(command, _)| *command != step.written);
    let mut faults: Vec<_> = steps.iter().filter(is_run).filter_map(|step| shell.run(step).err()).collect();
    faults.extend(shell.end().err());
    faults.iter().map(|fault| format!("{name}, {fault}")).collect()
}

/// What is not so in these pages, each a name and a text.
fn check(pages: &[(String, String)], not_run: &[(&str, &str)], programs: &Path) -> Vec<String> {
    let (mut faults, mut found) = (Vec::new(), Vec::new());
    for (name, text) in pages {
        match steps(text) {
            Ok(steps) => found.push((name, steps)),
            Err(fault) => faults.push(format!("{name}, {fault}")),
        }
    }
    let written: BTreeSet<_> = found.iter().flat_map(|(_, steps)| steps).map(|step| step.written.as_str()).collect();
    let gone = not_run.iter().filter(|(command, _)| !written.contains(command));
    faults.extend(gone.map(|(command, _)| format!("`{command}` is in the table of what is not run, and on no page")));
    thread::scope(|scope| {
        let pages = found.iter().filter(|(_, steps)| !steps.is_empty());
        let played: Vec<_> = pages.map(|(name, steps)| scope.spawn(|| play(name, steps, not_run, programs))).collect();
        faults.extend(played.into_iter().flat_map(|page| page.join().expect("a page is played to its end")));
    });
    faults
}

fn pages() -> Vec<(String, String)> {
    let mut paths: Vec<_> = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.push(root().join("README.md"));
    assert!(paths.len() > 10, "{} pages were found", paths.len());
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn what_the_book_says_is_so() {
    let faults = check(&pages(), NOT_RUN, &built());
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn every_link_leads_somewhere() {
    let dead = dead_links(&pages().into_iter().collect(), |path| root().join(path).exists());
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn what_is_not_so_is_seen() {
    let page = "```console\n\
        $ fabric-sim run scenarios/first-contact.toml --sed 1\n\
        $ fabric-sim check scenarios/first-contact.toml --set stop_at=9s\n{}\n\
        $ fabric-sim check scenarios/first-contact.toml\n\
        ```\n";
    let not_run = [("fabric-sim check scenarios/first-contact.toml", "why not"), ("fabric-sim frob", "was there once")];
    let faults = check(&[("planted".to_owned(), page.to_owned())], &not_run, &built());
    let whats = ["frob` is in the table", "--sed 1` ends with exit status: 2, not 0", "and not\n{}"];
    assert_eq!(faults.len(), whats.len(), "{faults:#?}");
    for (fault, what) in faults.iter().zip(whats) {
        assert!(fault.contains(what), "{fault}");
    }
}
