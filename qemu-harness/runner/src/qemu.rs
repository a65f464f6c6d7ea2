//! Finds QEMU, and says how a guest is started. No root, no KVM, no other files than those of the run.

use crate::plan::{Plan, host};
use crate::{Failure, vm::Files};
use guest_contract::START_FILE;
use std::path::Path;
use std::process::{Command, Stdio};

/// The first with `-netdev dgram`.
const OLDEST: (u32, u32) = (7, 2);
const FIX: &str = "install it: apt-get update && apt-get install -y qemu-system-x86 (Debian 12 and later)";

/// Whether this QEMU can run the guests.
///
/// # Errors
/// That it is missing or too old, and the fix.
pub fn check_qemu(qemu: &Path) -> Result<(), Failure> {
    let name = qemu.display();
    let output = Command::new(qemu).arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failure::harness(format!("{name} does not start ({error}): {FIX}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match version(&text) {
        Some(found) if found >= OLDEST => Ok(()),
        Some((major, minor)) => Err(Failure::harness(format!(
            "{name} is version {major}.{minor}, and {}.{} is needed for -netdev dgram: {FIX}",
            OLDEST.0, OLDEST.1
        ))),
        None => Err(Failure::harness(format!("{name} says no version: is it QEMU? {FIX}"))),
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let number = text.split("version ").nth(1)?;
    let mut parts = number.split(|char: char| !char.is_ascii_digit()).map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// The command that starts the node at `place`; its serial line is standard input and output.
pub(crate) fn command(plan: &Plan, place: usize, files: &Files) -> Command {
    let mac = guest_contract::mac(host(place)).map(|byte| format!("{byte:02x}")).join(":");
    let path = |path: &Path| path.display().to_string().replace(',', ",,");
    let mut command = mortal(&plan.qemu);
    command.args([
        "-M",
        "microvm,acpi=off,rtc=off",
        "-accel",
        "tcg",
        "-cpu",
        &plan.cpu,
        "-m",
        &plan.memory_mib.to_string(),
    ]);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"]);
    command.args(["-global", "virtio-mmio.force-legacy=false", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
    command.arg("-kernel").arg(&plan.image);
    command.arg("-fw_cfg").arg(format!("name={START_FILE},file={}", path(&files.start)));
    command.arg("-netdev").arg(format!(
        "dgram,id=n,local.type=unix,local.path={},remote.type=unix,remote.path={}",
        path(&files.card),
        path(&files.hub)
    ));
    command.arg("-device").arg(format!("virtio-net-device,netdev=n,mac={mac}"));
    command.arg("-object").arg(format!("filter-dump,id=f,netdev=n,file={}", path(&files.capture)));
    command
}

/// `program`, killed by the kernel when the thread that starts it is gone, however that came about: util-linux's setpriv
/// asks for it, and becomes the program. Where it is missing, a guest whose runner was killed runs until its own time is over.
fn mortal(program: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.is_file() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_distributions_print() {
        assert_eq!(version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\n"), Some((7, 2)));
        assert_eq!(version("QEMU emulator version 10.0.0\n"), Some((10, 0)));
        assert_eq!(version("hello"), None);
    }

    #[test]
    fn a_missing_qemu_is_a_failure_of_the_harness_that_names_the_fix() {
        let failure = check_qemu(Path::new("/nonexistent/qemu")).unwrap_err();
        assert_eq!(failure.kind, crate::Kind::Harness);
        assert!(failure.detail.contains("apt-get install"), "{failure}");
        let failure = check_qemu(Path::new("/bin/echo")).unwrap_err();
        assert!(failure.detail.contains("no version"), "{failure}");
    }
}
