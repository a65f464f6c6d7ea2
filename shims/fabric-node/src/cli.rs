//! The command line.

use crate::exit::EXIT_CODES;
use crate::peer::ANY;
use clap::{Args, Parser, Subcommand, ValueEnum};
use fabric::identity::DeviceId;
use fabric::trust::Label;
use machine::Duration;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A node of the device fabric: finds other devices, serves them, and talks to them over authenticated sessions.
#[derive(Debug, Parser)]
#[command(name = "fabric-node", version, arg_required_else_help = true, after_help = format!("\
Two terminals that find each other and talk, with no configuration:
  fabric-node run --serve echo --allow any=echo
  fabric-node discover                              prints the id of the first
  fabric-node ping ID

Two devices that trust each other from now on, once two people have seen the same six digits on both:
  fabric-node run --identity hub.id --pairing phone --serve echo --allow phone=echo
  fabric-node pair HUB_ID --as hub --identity phone.id

PEER is one of
  a device id, 64 lower-case hex digits
  a label that `trust add` or `--trust LABEL=ID` gave
  8 or more first digits of a trusted id
  ID@HOST:PORT#NOISE_STATIC, to dial it without discovery

{EXIT_CODES}"))]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// What is written: text for people, or one JSON object a line on stdout
    #[arg(long, global = true, value_enum, default_value = "human")]
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make or show the file that says who a device is
    #[command(subcommand)]
    Id(Id),
    /// Show or change whom a device trusts from now on
    #[command(subcommand, after_help = format!("\
Examples:
  fabric-node trust add phone ID --identity hub.id
  fabric-node trust list --identity hub.id
  fabric-node trust remove phone --identity hub.id

A trusted device gets a session, and of services what `run --allow` says. While the device runs, this is refused.

{EXIT_CODES}"))]
    Trust(Trust),
    /// Serve other devices until SIGINT or SIGTERM
    #[command(after_help = format!("\
Examples:
  fabric-node run --identity hub.id --serve echo --serve files=shared --trust phone=ID --allow phone=files
  fabric-node run --serve echo --allow any=echo                    for tests: everybody may use echo
  fabric-node run --identity hub.id --listen 127.0.0.1:7000 --no-discovery --serve echo --allow ID=echo

Nobody may use anything that is not allowed. Whoever is allowed something is trusted with a session.

{EXIT_CODES}"))]
    Run(RunArgs),
    /// Show which devices announce themselves
    #[command(after_help = format!("\
Examples:
  fabric-node discover
  fabric-node discover --for 15s --format json

A device announces itself when it starts and every ten seconds. What it says of itself is a claim.

{EXIT_CODES}"))]
    Discover(DiscoverArgs),
    /// Measure round trips over a peer's echo
    #[command(after_help = format!("\
Examples:
  fabric-node ping ID
  fabric-node ping hub --trust hub=ID --identity phone.id --count 10 --every 200ms

{EXIT_CODES}"))]
    Ping(PingArgs),
    /// Bring a file to a peer
    #[command(after_help = format!("\
Examples:
  fabric-node send hub files photo.jpg --trust hub=ID --identity phone.id
  fabric-node send ID@192.0.2.7:7000#NOISE_STATIC files photo.jpg --as holiday.jpg --no-discovery

The peer overwrites no file; its file is there once it is whole and on its disk.

{EXIT_CODES}"))]
    Send(SendArgs),
    /// Get a file from a peer
    #[command(after_help = format!("\
Examples:
  fabric-node get hub files photo.jpg --trust hub=ID --identity phone.id
  fabric-node get hub files photo.jpg --output /tmp/copy.jpg --trust hub=ID --identity phone.id

No file is overwritten; the new one is there once it is whole.

{EXIT_CODES}"))]
    Get(GetArgs),
    /// Pair with a device: six digits that two people compare
    #[command(after_help = format!("\
Examples:
  fabric-node run --identity hub.id --pairing phone                on the one device, then
  fabric-node pair HUB_ID --as hub --identity phone.id             on the other

Both show six digits, and ask whether the other shows the same: answer `yes`, or type the digits that the other shows. With
anything else, or without an answer within two minutes, nobody is trusted. A program reads the event `pairing-number` of both
with --format json, and writes its answer to stdin.

{EXIT_CODES}"))]
    Pair(PairArgs),
    /// Call a method of a peer's service
    #[command(after_help = format!("\
Examples:
  fabric-node call hub samgrd resolve echo --identity phone.id
  fabric-node call hub lamp set 00ff --hex --identity phone.id --format json

The answer goes to stdout, as text if it is one, else as hex digits. A call that got no answer is never made again by itself.

{EXIT_CODES}"))]
    Call(CallArgs),
    /// Find out why devices do not find or reach each other
    #[command(after_help = format!("\
Examples:
  fabric-node doctor
  fabric-node doctor --identity hub.id --listen 0.0.0.0:7000

{EXIT_CODES}"))]
    Doctor(NodeArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Id {
    /// Make a new device: a file with its secrets, for its owner only
    New {
        /// Must not exist
        file: PathBuf,
    },
    /// Show the device id and the Noise static of a file
    Show {
        /// Made by `id new`
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Trust {
    /// Show the trusted devices
    List {
        #[command(flatten)]
        owner: Owner,
    },
    /// Trust a device under a label, or give it another
    Add {
        /// What to call it
        #[arg(value_parser = label)]
        label: Label,
        /// Its id, 64 lower-case hex digits
        #[arg(value_parser = device)]
        device: DeviceId,
        #[command(flatten)]
        owner: Owner,
    },
    /// Trust a device no more
    Remove {
        /// Its label, its id or the first digits of that
        device: String,
        #[command(flatten)]
        owner: Owner,
    },
}

/// Whose trust it is.
#[derive(Debug, Args)]
pub(crate) struct Owner {
    /// The device, made by `id new`
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: PathBuf,
}

/// Who and where the node is.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// The device to be, made by `id new`; without it, a new one that is forgotten at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// Where to accept sessions and receive announces; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:0")]
    pub(crate) listen: SocketAddr,
    /// The group for discovery: multicast, or IPv4 broadcast [default: that of the fabric]
    #[arg(long, value_name = "ADDR")]
    pub(crate) group: Option<SocketAddr>,
    /// Neither announce nor listen to announces
    #[arg(long, conflicts_with = "group")]
    pub(crate) no_discovery: bool,
    /// Trust a device with a session and give it a name; may be repeated
    #[arg(long, value_name = "LABEL=ID", value_parser = trust)]
    pub(crate) trust: Vec<(Label, DeviceId)>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// What to serve: `echo`, `files=DIR`, or `samgrd`, which tells callers of the others; may be repeated
    #[arg(long, value_name = "SERVICE", value_parser = serve)]
    pub(crate) serve: Vec<Serve>,
    /// Who may use it: `ID=SERVICE` or `LABEL=SERVICE`, or, for tests only, `any=echo`; may be repeated
    #[arg(long, value_name = "WHO=SERVICE", value_parser = allow)]
    pub(crate) allow: Vec<(String, String)>,
    /// Let one device in to pair, within two minutes, and trust it under this label from then on
    #[arg(long, value_name = "LABEL", value_parser = label, requires = "identity")]
    pub(crate) pairing: Option<Label>,
    /// The largest file to take
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub(crate) file_max: u64,
    /// Write down all that the node is told, for `fabric-sim replay`; it holds what is said, but no secret of the device
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// The longest record
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size, requires = "record")]
    pub(crate) record_max: u64,
}

#[derive(Debug, Args)]
pub(crate) struct DiscoverArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// How long to listen [default: until it is interrupted]
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) span: Option<Duration>,
}

/// Whom to reach.
#[derive(Debug, Args)]
pub(crate) struct PeerArgs {
    /// An id, a label, digits of a trusted id, or an id and its address: see `fabric-node --help`
    pub(crate) peer: String,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// How long to try to reach the peer
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct PingArgs {
    #[command(flatten)]
    pub(crate) peer: PeerArgs,
    /// How many round trips
    #[arg(long, default_value = "4", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
    /// The pause before the next
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub(crate) every: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) peer: PeerArgs,
    /// The service that takes it, such as `files`
    pub(crate) service: String,
    /// The file to bring
    pub(crate) file: PathBuf,
    /// Its name there [default: its name here]
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) peer: PeerArgs,
    /// The service that gives it, such as `files`
    pub(crate) service: String,
    /// Its name there
    pub(crate) name: String,
    /// The new file [default: NAME, here]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The largest file to get
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub(crate) file_max: u64,
}

#[derive(Debug, Args)]
pub(crate) struct PairArgs {
    /// The other device's id, or its id and its address: see `fabric-node --help`
    pub(crate) peer: String,
    /// What to call it from now on
    #[arg(long = "as", value_name = "LABEL", value_parser = label)]
    pub(crate) label: Label,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    #[command(flatten)]
    pub(crate) peer: PeerArgs,
    /// The service, such as `samgrd`
    pub(crate) service: String,
    /// Its method
    pub(crate) method: String,
    /// What to tell it
    #[arg(default_value = "")]
    pub(crate) body: String,
    /// BODY is hex digits
    #[arg(long)]
    pub(crate) hex: bool,
    /// The longest answer to take
    #[arg(long, value_name = "SIZE", default_value = "4KiB", value_parser = size)]
    pub(crate) reply_max: u64,
}

/// A service of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Serve {
    Echo,
    Files(PathBuf),
    Samgrd,
}

fn serve(text: &str) -> Result<Serve, String> {
    match text.split_once('=') {
        None if text == "echo" => Ok(Serve::Echo),
        None if text == "samgrd" => Ok(Serve::Samgrd),
        Some(("files", directory)) if !directory.is_empty() => Ok(Serve::Files(directory.into())),
        _ => Err("the services are `echo`, `samgrd` and `files=DIR`".into()),
    }
}

fn trust(text: &str) -> Result<(Label, DeviceId), String> {
    let (label, device) = text.split_once('=').ok_or("write LABEL=ID")?;
    Ok((self::label(label)?, device.parse().map_err(|error| format!("the id `{device}`: {error}"))?))
}

fn label(text: &str) -> Result<Label, String> {
    if text == ANY {
        return Err("`any` means everybody and names nobody".into());
    }
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}

fn device(text: &str) -> Result<DeviceId, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn allow(text: &str) -> Result<(String, String), String> {
    let (who, service) = text.split_once('=').ok_or("write WHO=SERVICE")?;
    Ok((who.to_owned(), service.to_owned()))
}

/// A number directly before its unit.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn duration(text: &str) -> Result<Duration, String> {
    let millis = quantity(text, &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)]);
    // A year: far from the end of what an instant can hold.
    let millis = millis.filter(|millis| *millis <= 365 * 24 * 3_600_000);
    millis.map(Duration::from_millis).ok_or_else(|| "write a time such as 500ms, 15s, 2m or 1h".into())
}

fn size(text: &str) -> Result<u64, String> {
    let units = [("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
    quantity(text, &units).ok_or_else(|| "write a size such as 4096, 64KiB or 1GiB".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn quantities_have_units_and_bounds() {
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!((size("4096"), size("4MiB")), (Ok(4_096), Ok(4 << 20)));
        for text in ["", "s", "1", "1 s", "-1s", "1.5s", "9999999h", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "KiB", "1KB", "99999999TiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn services_and_permissions_have_one_form() {
        assert_eq!(serve("files=a=b"), Ok(Serve::Files("a=b".into())));
        for text in ["", "files", "files=", "echo=1", "sh"] {
            assert!(serve(text).is_err(), "{text}");
        }
        assert!(allow("phone").is_err() && trust("phone=12").is_err() && trust("Phone=").is_err());
        assert!(label("any").is_err() && label("abc").is_err() && label("hub").is_ok());
    }
}
