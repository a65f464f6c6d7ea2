//! The architecture's invariants as checks over `cargo metadata`: who depends on whom, what a `no_std` core pulls in, and
//! that the minimum Rust version is true. Reads the metadata; runs nothing.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The cores: they run on bare metal, so nothing below them may need an operating system.
const NO_STD: &[&str] =
    &["dsoftbus-machine", "dsoftbus-fabric", "scenario-actor", "dsoftbus-netstackd", "guest-contract"];

/// What needs an operating system, or is a source of chance or time.
const NEVER_BELOW_NO_STD: &[&str] = &["std", "getrandom", "parking_lot", "instant", "web-time", "libc", "rustix"];

/// Who of ours may depend on whom of ours, apart from tests. A package that is not listed may depend on none.
const MAY_DEPEND: &[(&str, &[&str])] = &[
    ("dsoftbus-machine", &[]),
    ("dsoftbus-sim", &["dsoftbus-machine"]),
    ("dsoftbus-sim-lab", &["dsoftbus-sim"]),
    ("toys", &["dsoftbus-machine"]),
    ("dsoftbus-fabric", &["dsoftbus-machine"]),
    ("dsoftbus-tcp", &["dsoftbus-machine"]),
    ("dsoftbus-netstackd", &["dsoftbus-machine"]),
    ("dsoftbus-ring", &["dsoftbus-fabric"]),
    ("scenario-actor", &["dsoftbus-fabric", "dsoftbus-machine"]),
    (
        "fabric-sim",
        &[
            "dsoftbus-fabric",
            "dsoftbus-machine",
            "dsoftbus-netstackd",
            "dsoftbus-sim",
            "dsoftbus-tcp",
            "guest-contract",
            "node-log",
            "qemu-runner",
            "scenario-actor",
        ],
    ),
    ("guest-contract", &["dsoftbus-machine", "scenario-actor"]),
    ("qemu-runner", &["dsoftbus-machine", "dsoftbus-sim", "guest-contract", "scenario-actor"]),
    ("node-log", &["dsoftbus-fabric", "dsoftbus-machine"]),
    ("fabric-node", &["dsoftbus-fabric", "dsoftbus-machine", "dsoftbus-tcp", "node-log"]),
    ("fuzz-targets", &["dsoftbus-fabric", "dsoftbus-machine", "dsoftbus-netstackd", "fabric-sim", "node-log"]),
    ("book", &[]),
    ("hygiene", &[]),
];

/// Whom else a package of ours may depend on when a feature that is off by default asks for it.
const MAY_DEPEND_BY_FEATURE: &[(&str, &[&str])] = &[("dsoftbus-tcp", &["dsoftbus-fabric"])];

/// One package of the graph.
#[derive(Debug, Default)]
struct Package {
    name: String,
    rust_version: Option<(u64, u64)>,
    /// What it says to whoever looks for it in a registry, and does not.
    unsaid: Vec<&'static str>,
    /// By package id; what tests and build scripts need is not in it.
    depends_on: BTreeSet<String>,
    /// By name: what only a feature needs, which is not in the graph.
    optional: BTreeSet<String>,
}

/// All packages by id, and which of them are ours.
#[derive(Debug)]
struct Graph {
    packages: BTreeMap<String, Package>,
    ours: BTreeSet<String>,
}

/// The platform that the guest is built for: what a core pulls in elsewhere only (libc, to ask an ARM processor for its
/// features) is not linked there.
pub const GUEST_PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Checks the output of `cargo metadata --format-version 1`: `all` for every platform, `guest` for [`GUEST_PLATFORM`].
///
/// # Errors
/// Every broken invariant, a line each; or that a text is no such metadata.
pub fn check(all: &str, guest: &str) -> Result<(), Vec<String>> {
    let all = Graph::parse(all)?;
    let mut faults = all.directions();
    faults.extend(Graph::parse(guest)?.no_std_closures());
    faults.extend(all.minimum_version());
    faults.extend(all.unsaid());
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What a package that can be published has to say, and this one does not.
fn unsaid(package: &Value) -> Vec<&'static str> {
    const SAID: [&str; 7] = ["description", "license", "readme", "keywords", "categories", "rust_version", "version"];
    let is_private = package.get("publish").is_some_and(Value::is_array);
    let is_said = |key: &&str| match package.get(*key) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        _ => false,
    };
    if is_private { Vec::new() } else { SAID.into_iter().filter(|key| !is_said(key)).collect() }
}

fn version(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next().unwrap_or(Ok(0)).ok()?))
}

impl Graph {
    fn parse(metadata: &str) -> Result<Self, Vec<String>> {
        let json = serde_json::from_str(metadata).map_err(|error| vec![format!("metadata is not JSON: {error}")])?;
        Self::read(&json).ok_or_else(|| vec!["metadata lacks packages, members or their graph".to_owned()])
    }

    fn read(json: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut packages = BTreeMap::new();
        for package in json.get("packages")?.as_array()? {
            let rust_version = package.get("rust_version").and_then(Value::as_str).and_then(version);
            let name = text(package.get("name")?)?;
            let mut optional = BTreeSet::new();
            for dependency in package.get("dependencies")?.as_array()? {
                if dependency.get("optional")?.as_bool()? {
                    optional.insert(text(dependency.get("name")?)?);
                }
            }
            let unsaid = unsaid(package);
            let id = text(package.get("id")?)?;
            packages.insert(id, Package { name, rust_version, unsaid, optional, ..Package::default() });
        }
        for node in json.get("resolve")?.get("nodes")?.as_array()? {
            let package = packages.get_mut(node.get("id")?.as_str()?)?;
            for dependency in node.get("deps")?.as_array()? {
                let is_normal = |kind: &Value| kind.get("kind").is_some_and(Value::is_null);
                if dependency.get("dep_kinds")?.as_array()?.iter().any(is_normal) {
                    package.depends_on.insert(text(dependency.get("pkg")?)?);
                }
            }
        }
        let ours = json.get("workspace_members")?.as_array()?.iter().map(text).collect::<Option<_>>()?;
        Some(Self { packages, ours })
    }

    fn our_packages(&self) -> impl Iterator<Item = (&String, &Package)> {
        self.packages.iter().filter(|(id, _)| self.ours.contains(*id))
    }

    fn directions(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let ours: BTreeSet<_> = self.our_packages().map(|(_, package)| package.name.clone()).collect();
        for (_, package) in self.our_packages() {
            let Some((_, allowed)) = MAY_DEPEND.iter().find(|(name, _)| *name == package.name) else {
                faults.push(format!(
                    "{} is not in the table of who may depend on whom: add it to ci/hygiene",
                    package.name
                ));
                continue;
            };
            for dependency in package.depends_on.intersection(&self.ours) {
                let name = &self.packages[dependency].name;
                if !allowed.contains(&name.as_str()) {
                    faults.push(format!("{} must not depend on {name}", package.name));
                }
            }
            let by_feature = MAY_DEPEND_BY_FEATURE.iter().find(|(name, _)| *name == package.name);
            let allowed = [*allowed, by_feature.map_or(&[], |(_, names)| *names)].concat();
            for name in package.optional.intersection(&ours).filter(|name| !allowed.contains(&name.as_str())) {
                faults.push(format!("{} must not depend on {name}, by a feature either", package.name));
            }
        }
        faults
    }

    fn no_std_closures(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (id, package) in self.our_packages().filter(|(_, package)| NO_STD.contains(&package.name.as_str())) {
            let (mut seen, mut open) = (BTreeSet::new(), vec![id]);
            while let Some(id) = open.pop() {
                if !seen.insert(id) {
                    continue;
                }
                let Some(below) = self.packages.get(id) else { continue };
                if NEVER_BELOW_NO_STD.contains(&below.name.as_str()) {
                    faults.push(format!("{} is no_std and pulls in {}", package.name, below.name));
                }
                open.extend(&below.depends_on);
            }
        }
        faults
    }

    fn unsaid(&self) -> impl Iterator<Item = String> {
        let ours = self.our_packages().filter(|(_, package)| !package.unsaid.is_empty());
        ours.map(|(_, package)| format!("{} can be published, and lacks: {}", package.name, package.unsaid.join(", ")))
    }

    /// Our `rust-version` is at least that of all we are built from. What only some host needs counts too.
    fn minimum_version(&self) -> Vec<String> {
        let highest = self.packages.iter().filter(|(id, _)| !self.ours.contains(*id)).map(|(_, package)| package);
        let Some(highest) = highest.max_by_key(|package| package.rust_version) else { return Vec::new() };
        let is_short = |package: &Package| package.rust_version < highest.rust_version;
        let short = self.our_packages().filter(|(_, package)| is_short(package));
        short.map(|(_, package)| format!("{} claims an older Rust than {} needs", package.name, highest.name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace of these packages: name, minimum Rust, normal dependencies. Names starting with `ext-` are others'.
    fn metadata(packages: &[(&str, &str, &[&str])]) -> String {
        let name = |name: &str| name.trim_start_matches("ext-").to_owned();
        let list = packages.iter().map(
            |(id, rust, _)| serde_json::json!({"id": id, "name": name(id), "rust_version": rust, "dependencies": [], "publish": []}),
        );
        let kinds = serde_json::json!([{"kind": null}]);
        let deps = |on: &[&str]| -> Vec<Value> {
            on.iter().map(|id| serde_json::json!({"pkg": id, "dep_kinds": kinds})).collect()
        };
        let nodes = packages.iter().map(|(id, _, on)| serde_json::json!({"id": id, "deps": deps(on)}));
        let ours = packages.iter().map(|(id, ..)| *id).filter(|id| !id.starts_with("ext-"));
        serde_json::json!({
            "packages": list.collect::<Vec<_>>(),
            "resolve": {"nodes": nodes.collect::<Vec<_>>()},
            "workspace_members": ours.collect::<Vec<_>>(),
        })
        .to_string()
    }

    fn faults(packages: &[(&str, &str, &[&str])]) -> Vec<String> {
        let metadata = metadata(packages);
        check(&metadata, &metadata).err().unwrap_or_default()
    }

    #[test]
    fn an_honest_workspace_passes() {
        assert_eq!(
            faults(&[("dsoftbus-machine", "1.91", &[]), ("dsoftbus-sim", "1.91", &["dsoftbus-machine"])]),
            [""; 0]
        );
    }

    #[test]
    fn the_engine_must_not_know_the_fabric() {
        let packages: &[(&str, &str, &[&str])] =
            &[("dsoftbus-fabric", "1.91", &[]), ("dsoftbus-sim", "1.91", &["dsoftbus-fabric"])];
        assert_eq!(faults(packages), ["dsoftbus-sim must not depend on dsoftbus-fabric"]);
    }

    #[test]
    fn a_feature_must_not_bend_an_arrow_either() {
        let with_feature = |name: &str| {
            let metadata = metadata(&[(name, "1.91", &[]), ("dsoftbus-fabric", "1.91", &[])]);
            let optional =
                r#""dependencies":[{"name":"dsoftbus-fabric","optional":true},{"name":"mio","optional":false}]"#;
            metadata.replacen(r#""dependencies":[]"#, optional, 1)
        };
        let (sim, driver) = (with_feature("dsoftbus-sim"), with_feature("dsoftbus-tcp"));
        assert_eq!(
            check(&sim, &sim).unwrap_err(),
            ["dsoftbus-sim must not depend on dsoftbus-fabric, by a feature either"]
        );
        check(&driver, &driver).unwrap();
    }

    #[test]
    fn a_core_must_not_pull_in_an_operating_system_even_far_below() {
        let packages: &[(&str, &str, &[&str])] = &[
            ("dsoftbus-fabric", "1.91", &["ext-rand"]),
            ("ext-rand", "1.60", &["ext-getrandom"]),
            ("ext-getrandom", "1.60", &[]),
        ];
        assert_eq!(faults(packages), ["dsoftbus-fabric is no_std and pulls in getrandom"]);
    }

    #[test]
    fn the_minimum_rust_version_is_that_of_the_newest_dependency() {
        let packages: &[(&str, &str, &[&str])] = &[("dsoftbus-sim", "1.85", &["ext-new"]), ("ext-new", "1.91", &[])];
        assert_eq!(faults(packages), ["dsoftbus-sim claims an older Rust than new needs"]);
    }

    #[test]
    fn a_new_package_has_to_be_placed() {
        assert_eq!(faults(&[("thing", "1.91", &[])]).len(), 1);
    }

    #[test]
    fn what_can_be_published_says_what_it_is() {
        let mut package = serde_json::json!({
            "description": "It.", "license": "MIT", "readme": "README.md", "keywords": ["it"], "categories": ["it"],
            "rust_version": "1.91", "version": "0.1.0", "publish": null,
        });
        assert_eq!(unsaid(&package), [""; 0]);
        package["readme"] = Value::Null;
        package["keywords"] = serde_json::json!([]);
        assert_eq!(unsaid(&package), ["readme", "keywords"]);
        package["publish"] = serde_json::json!([]);
        assert_eq!(unsaid(&package), [""; 0]);
    }

    #[test]
    fn what_is_no_metadata_is_refused() {
        assert!(check("", "").is_err() && check("{}", "{}").is_err());
    }
}
