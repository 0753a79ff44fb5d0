//! Lists the migration files, so that a new pair of files is embedded without editing any list.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    // A build script runs in the folder of its package, also in one that was moved since the script was compiled.
    let root = Path::new("../../migrations");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut code = String::new();
    for dialect in ["postgres", "sqlite"] {
        let folder = root.join(dialect);
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
            .collect();
        files.sort();
        let _ = writeln!(code, "pub(super) const {}: &[Migration] = &[", dialect.to_uppercase());
        for file in files {
            println!("cargo::rerun-if-changed={}", file.display());
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let (number, name) = stem.split_once('_').ok_or_else(|| invalid(&file))?;
            let version: i64 = number.parse().map_err(|_| invalid(&file))?;
            let path = file.canonicalize()?.display().to_string();
            let _ = writeln!(
                code,
                "    Migration {{ version: {version}, name: {name:?}, sql: include_str!({path:?}) }},"
            );
        }
        code.push_str("];\n");
    }
    #[expect(clippy::disallowed_methods, reason = "cargo tells a build script where to write this way")]
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| std::io::Error::other("OUT_DIR is not set"))?;
    std::fs::write(Path::new(&out).join("migration_list.rs"), code)
}

fn invalid(file: &Path) -> std::io::Error {
    std::io::Error::other(format!("{}: a migration is named NNNN_name.sql", file.display()))
}
