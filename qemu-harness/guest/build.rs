//! Links without a C library or a dynamic loader, by `link.ld`.

fn main() {
    let script = format!("{}/link.ld", std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed={script}");
    let flags = ["-nostartfiles", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none"];
    let linker = ["-Wl,-z,max-page-size=4096", "-Wl,-z,norelro", "-Wl,--gc-sections"];
    for argument in flags.iter().chain(&linker) {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{script}");
}
