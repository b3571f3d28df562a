//! Indices into the entries of the source.

use std::ops;

use assetsync_core::index::{Index, Indices};

/// The entries of the source, as a list that indices belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceList {}

/// Index of an entry of the source.
pub type SourceIndex = Index<SourceList>;

/// A value for each entry of the source.
#[derive(Debug)]
pub struct PerSource<T>(Vec<T>);

impl<T> PerSource<T> {
    /// The values, in order of the entries.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The indices of all entries.
    pub fn indices(&self) -> Indices<SourceList> {
        Index::range(0..self.0.len() as u32)
    }

    /// The value for an entry, if there is such an entry.
    pub fn get(&self, index: SourceIndex) -> Option<&T> {
        self.0.get(index.position())
    }
}

impl<T> FromIterator<T> for PerSource<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> PerSource<T> {
        PerSource(values.into_iter().collect())
    }
}

impl<T> ops::Index<SourceIndex> for PerSource<T> {
    type Output = T;

    fn index(&self, index: SourceIndex) -> &T {
        &self.0[index.position()]
    }
}

impl<T> ops::IndexMut<SourceIndex> for PerSource<T> {
    fn index_mut(&mut self, index: SourceIndex) -> &mut T {
        &mut self.0[index.position()]
    }
}
