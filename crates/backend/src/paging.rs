//! Numbered pages, as administrators' lists have them.

use serde::Serialize;
use syfthub_store::Page;
use syfthub_web::Fields;
use utoipa::ToSchema;

/// Rows of a page when the request names no number.
const DEFAULT_SIZE: i64 = 20;
/// Most rows of a page.
pub(crate) const MAX_SIZE: i64 = 100;
/// Greatest number of a page; beyond it no database has rows.
pub(crate) const MAX_PAGE: i64 = 1_000_000;

/// Which page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbered {
    page: i64,
    size: i64,
}

impl Numbered {
    /// Reads `page` and `page_size`.
    pub(crate) fn read(query: &mut Fields) -> Self {
        let page = query.int("page").range(1, MAX_PAGE).or(1);
        let size = query.int("page_size").range(1, MAX_SIZE).or(DEFAULT_SIZE);
        Self { page, size }
    }

    /// The rows that the page stands for.
    pub(crate) fn rows(self) -> Page {
        let skip = u32::try_from((self.page - 1) * self.size).unwrap_or(u32::MAX);
        Page::new(skip, u32::try_from(self.size).unwrap_or(u32::MAX))
    }

    /// The page with these rows out of `total`.
    pub(crate) fn with<T>(self, items: Vec<T>, total: i64) -> Paged<T> {
        let total_pages = (total + self.size - 1).div_euclid(self.size);
        Paged { items, page: self.page, page_size: self.size, total, total_pages }
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Paged<T> {
    /// The rows of the page.
    pub(crate) items: Vec<T>,
    /// Its number, from 1.
    pub(crate) page: i64,
    /// Rows that a full page has.
    pub(crate) page_size: i64,
    /// Rows of the whole list.
    pub(crate) total: i64,
    /// Pages of the whole list.
    pub(crate) total_pages: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_from_one_and_the_last_may_be_short() {
        let second = Numbered { page: 2, size: 20 };
        assert_eq!(second.rows(), Page::new(20, 20));
        for (total, pages) in [(0, 0), (1, 1), (20, 1), (21, 2), (40, 2)] {
            assert_eq!(second.with(vec![(); 0], total).total_pages, pages, "{total}");
        }
        assert_eq!(Numbered { page: MAX_PAGE, size: MAX_SIZE }.rows().skip, 99_999_900);
    }
}
