//! What kind of text a file holds, told by its name.

/// How a file is cut into passages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Markdown: sections by heading.
    Markdown,
    /// HTML: tags removed, sections by heading.
    Html,
    /// Rows with a delimiter; the first row names the columns.
    Csv(u8),
    /// JSON, or JSON by line.
    Json,
    /// Prose in paragraphs, with underlined headings.
    Text,
    /// Source code and settings: blocks between blank lines.
    Code,
    /// No extension, or one that says nothing: read as prose if it is UTF-8.
    Unknown,
}

const BINARY: &[&str] = &[
    "7z", "a", "avi", "bin", "bmp", "bz2", "class", "db", "deb", "dll", "doc", "docx", "eot", "eps", "epub",
    "exe", "gif", "gmo", "gpg", "ico", "iso", "jar", "jpeg", "jpg", "lz4", "mkv", "mo", "mov", "mp3", "mp4",
    "o", "odp", "ods", "odt", "ogg", "otf", "pack", "parquet", "pdf", "png", "ppt", "pptx", "ps", "pyc",
    "rar", "rlib", "rpm", "so", "sqlite", "svg", "swp", "tar", "tgz", "tif", "tiff", "ttf", "wasm", "wav",
    "webm", "webp", "woff", "woff2", "xls", "xlsx", "xz", "zip", "zst",
];

const CODE: &[&str] = &[
    "awk", "bash", "bat", "c", "cc", "cfg", "clj", "cmake", "conf", "cpp", "cs", "css", "cxx", "dart", "el",
    "elm", "ex", "exs", "go", "gradle", "groovy", "h", "hh", "hpp", "hs", "ini", "java", "jl", "js", "jsx",
    "kt", "lisp", "lua", "m", "mjs", "ml", "nix", "nim", "php", "pl", "pm", "proto", "ps1", "py", "r", "rb",
    "rs", "scala", "scm", "scss", "sh", "sql", "swift", "tcl", "tf", "toml", "ts", "tsx", "vim", "vue",
    "xml", "yaml", "yml", "zig", "zsh",
];

impl Format {
    /// The format of a file with this name, without a `.gz` at its end; `None` when the name says that
    /// it holds no text.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let Some((stem, extension)) = name.rsplit_once('.') else { return Some(Self::Unknown) };
        if stem.is_empty() {
            return Some(Self::Unknown);
        }
        let extension = extension.to_ascii_lowercase();
        Some(match extension.as_str() {
            "md" | "markdown" | "mdown" | "mkd" => Self::Markdown,
            "html" | "htm" | "xhtml" => Self::Html,
            "csv" => Self::Csv(b','),
            "tsv" => Self::Csv(b'\t'),
            "json" | "jsonl" | "ndjson" => Self::Json,
            "txt" | "text" | "rst" | "adoc" | "asciidoc" | "org" | "tex" => Self::Text,
            other if BINARY.contains(&other) => return None,
            other if CODE.contains(&other) => Self::Code,
            _ => Self::Unknown,
        })
    }

    /// Whether the name alone promises text, so that other encodings than UTF-8 are tried.
    pub(crate) fn promises_text(self) -> bool {
        self != Self::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_format() {
        assert_eq!(Format::of("README.MD"), Some(Format::Markdown));
        assert_eq!(Format::of("copyright"), Some(Format::Unknown));
        assert_eq!(Format::of("changelog.Debian"), Some(Format::Unknown));
        assert_eq!(Format::of("x.rs"), Some(Format::Code));
        assert_eq!(Format::of("photo.JPG"), None);
    }
}
