//! `make migration NAME=…`: an empty migration for both databases under the next number.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::workspace;

/// Writes the two files and prints their names.
pub(crate) fn create(name: &str) -> Result<()> {
    for path in write(&workspace::root().join("migrations"), name)? {
        println!("{}", path.display());
    }
    println!("write both, then describe the change in crates/store and let its contract suite use it");
    Ok(())
}

fn write(folder: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let good =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    ensure!(
        good,
        "give it a name of lower-case letters, digits and underscores: make migration NAME=add_projects"
    );
    let mut numbers: Vec<u32> = Vec::new();
    for database in ["postgres", "sqlite"] {
        let entries = folder.join(database).read_dir().into_iter().flatten().flatten();
        numbers
            .extend(entries.filter_map(|e| e.file_name().to_str()?.split('_').next()?.parse::<u32>().ok()));
    }
    let next = numbers.into_iter().max().unwrap_or(0) + 1;
    let mut written = Vec::new();
    for database in ["postgres", "sqlite"] {
        let path = folder.join(database).join(format!("{next:04}_{name}.sql"));
        fs::create_dir_all(folder.join(database))?;
        fs::write(&path, format!("-- {}\n", name.replace('_', " ")))?;
        written.push(path);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_get_the_next_number() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "start").unwrap();
        let second = write(folder.path(), "add_stars").unwrap();
        assert!(second[0].ends_with("postgres/0002_add_stars.sql"), "{second:?}");
        assert!(second[1].ends_with("sqlite/0002_add_stars.sql"));
    }

    #[test]
    fn a_name_that_is_no_file_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "Add", "a/b", "a b"] {
            assert!(write(folder.path(), name).is_err(), "{name}");
        }
    }
}
