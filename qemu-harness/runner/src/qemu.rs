//! Finds QEMU, and says how a guest is started. No root, no KVM, no other files than those of the run.

use crate::Failure;
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

/// How one machine is started.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The emulator.
    pub qemu: &'a Path,
    /// The guest: see [`build_image`](crate::build_image).
    pub image: &'a Path,
    /// The processor, as QEMU names it. The guest needs RDRAND, which QEMU's default one lacks.
    pub cpu: &'a str,
    /// The machine's memory; a guest takes no less than 16.
    pub memory_mib: u32,
    /// Which host it is: see [`guest_contract::mac`].
    pub host: u16,
    /// The file that holds the [`guest_contract::Start`].
    pub start: &'a Path,
    /// The socket of its card. QEMU makes it, and fails if it is there.
    pub card: &'a Path,
    /// The socket that the card sends its frames to.
    pub hub: &'a Path,
    /// Where its frames are kept, if anywhere.
    pub capture: Option<&'a Path>,
    /// QEMU's log of what comes into the machine, if there is one.
    pub log: Option<Log<'a>>,
}

/// QEMU's log of all that comes into a machine and is not of its own making.
#[derive(Clone, Copy, Debug)]
pub enum Log<'a> {
    /// Written while the machine runs; its time is then counted in instructions.
    Record(&'a Path),
    /// Read, so that the machine does everything again; it is joined to nothing.
    Replay(&'a Path),
}

impl Launch<'_> {
    /// The command; the machine's serial line is its standard input and output, and it ends with whoever starts it.
    pub fn command(&self) -> Command {
        let mac = guest_contract::mac(self.host).map(|byte| format!("{byte:02x}")).join(":");
        let path = |path: &Path| path.display().to_string().replace(',', ",,");
        let mut command = mortal(self.qemu);
        command.args(["-M", "microvm,acpi=off,rtc=off", "-accel", "tcg", "-cpu", self.cpu]);
        command.arg("-m").arg(self.memory_mib.to_string());
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"]);
        command.args(["-global", "virtio-mmio.force-legacy=false", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
        command.arg("-kernel").arg(self.image);
        command.arg("-fw_cfg").arg(format!("name={START_FILE},file={}", path(self.start)));
        command.arg("-netdev").arg(match self.log {
            Some(Log::Replay(_)) => "user,restrict=on,id=n".to_owned(),
            Some(Log::Record(_)) | None => format!(
                "dgram,id=n,local.type=unix,local.path={},remote.type=unix,remote.path={}",
                path(self.card),
                path(self.hub)
            ),
        });
        // The guest's virtio library reads event indices as if every one had passed, and would notify the card of each buffer.
        let mut card = format!("virtio-net-device,event_idx=off,netdev=n,mac={mac}");
        if let Some(log) = self.log {
            let (mode, file) = match log {
                Log::Record(file) => ("record", file),
                Log::Replay(file) => ("replay", file),
            };
            command.arg("-icount").arg(format!("shift=3,rr={mode},rrfile={}", path(file)));
            command.args(["-rtc", "clock=vm", "-object", "filter-replay,id=r,netdev=n"]);
            // When frames leave has to be an affair of the machine's own time.
            card.push_str(",tx=timer");
        }
        command.arg("-device").arg(card);
        if let Some(capture) = self.capture {
            command.arg("-object").arg(format!("filter-dump,id=f,netdev=n,file={}", path(capture)));
        }
        command
    }
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
