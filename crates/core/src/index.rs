//! Indices into the lists of a push: one type for each list, so that an index into one can't be
//! used for another.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use crate::limits;

/// The index of an item in the list `L`.
///
/// ```compile_fail
/// # use assetsync_core::{index::ActionIndex, state::State};
/// fn entry(state: &State, action: ActionIndex) {
///     let _ = &state.entries[action];
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index<L>(u32, PhantomData<L>);

/// Index of an entry in the [`State`](crate::state::State).
pub type EntryIndex = Index<EntryList>;
/// Index of a partial in the [`State`](crate::state::State).
pub type PartialIndex = Index<PartialList>;
/// Index of a content in the list of retained contents.
pub type RetainedIndex = Index<RetainedList>;
/// Index of an action in the [`Plan`](crate::plan::Plan).
pub type ActionIndex = Index<ActionList>;
/// Index of a rename in the [`Plan`](crate::plan::Plan).
pub type RenameIndex = Index<RenameList>;

/// Indices of consecutive items.
pub type Indices<L> = std::iter::Map<Range<u32>, fn(u32) -> Index<L>>;

/// A list that the other side names items of.
pub trait List {
    /// Most items.
    const LIMIT: u64;
}

/// What is an item of a list.
pub trait Listed {
    /// The list; two types that stand for the same items have the same one.
    type List;
}

/// Types without values that stand for lists.
macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident: $limit:expr),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {}

        impl List for $name {
            const LIMIT: u64 = $limit;
        }
    )*};
}

lists! {
    /// The entries of the state.
    EntryList: limits::ENTRIES,
    /// The partials of the state.
    PartialList: limits::ENTRIES,
    /// The retained contents.
    RetainedList: limits::RETAINED_CONTENTS as u64,
    /// The actions of the plan.
    ActionList: limits::ENTRIES,
    /// The renames of the plan.
    RenameList: limits::RENAMES as u64,
}

impl<L> Index<L> {
    /// The index with this number.
    pub const fn new(number: u32) -> Index<L> {
        Index(number, PhantomData)
    }

    /// The index of the item at `position` of a slice; [`ENTRIES`](crate::limits::ENTRIES) bounds
    /// all lists.
    pub const fn at(position: usize) -> Index<L> {
        Index::new(position as u32)
    }

    /// The indices of a range.
    pub fn range(numbers: Range<u32>) -> Indices<L> {
        numbers.map(Index::new)
    }

    /// The items of a list with their indices.
    pub fn enumerate<T: Listed<List = L>>(
        list: &[T],
    ) -> impl DoubleEndedIterator<Item = (Index<L>, &T)> + ExactSizeIterator {
        list.iter().enumerate().map(|(position, item)| (Index::at(position), item))
    }

    /// The next one.
    pub const fn next(self) -> Index<L> {
        Index::new(self.0 + 1)
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Its position in a slice.
    pub const fn position(self) -> usize {
        self.0 as usize
    }

    /// The item of `list`, if the index is within it.
    pub fn of<T: Listed<List = L>>(self, list: &[T]) -> Option<&T> {
        list.get(self.position())
    }
}

impl<L> fmt::Debug for Index<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Panics if the index is not within the list; [`Index::of`] does not.
impl<T: Listed> std::ops::Index<Index<T::List>> for [T] {
    type Output = T;

    fn index(&self, index: Index<T::List>) -> &T {
        &self[index.position()]
    }
}

impl<T: Listed> std::ops::Index<Index<T::List>> for Vec<T> {
    type Output = T;

    fn index(&self, index: Index<T::List>) -> &T {
        &self[index.position()]
    }
}
