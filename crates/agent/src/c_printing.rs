//! Stand-ins for what the GNU C library brings along and the agent never needs.
//!
//! Linked statically, the library brings its formatted printing, reading of numbers and translated messages,
//! for complaints of its own and for one look into `/proc/self/maps`: a quarter of the agent. Rust does its own
//! printing.
//!
//! The names are weak: where another version of the library needs the real function all the same, the linker
//! takes that one, and the agent is larger.

#![allow(unsafe_code)] // A name that the linker looks for can be any function: the compiler can't check it.

use std::arch::global_asm;
use std::ffi::{c_char, c_int, c_void};

/// Puts stand-ins in the place of the library's functions.
macro_rules! stand_in {
    ($($stand_in:ident for $name:literal)*) => {$(
        global_asm!(
            concat!(".weak ", $name),
            concat!(".set ", $name, ", {}"),
            sym $stand_in
        );
    )*};
}

stand_in! {
    no_attributes for "pthread_getattr_np"
    print_nothing for "__vfprintf_internal"
    print_nothing for "__vfwprintf_internal"
    translate_nothing for "__dcgettext"
}

/// Not supported, on Linux.
const ENOSYS: c_int = 38;

/// The standard library asks where the stack ends, to name an overflow as the cause when it kills; untold, it is killed
/// all the same.
extern "C" fn no_attributes(_thread: usize, _attributes: *mut c_void) -> c_int {
    ENOSYS
}

/// Fails as printing can: of an error without a name only the number is left, which Rust prints.
extern "C" fn print_nothing(
    _file: *mut c_void,
    _format: *const c_void,
    _arguments: *mut c_void,
    _flags: u32,
) -> c_int {
    -1
}

/// Gives the message as it is: the agent speaks English to the sender, whatever the host's locale.
extern "C" fn translate_nothing(
    _domain: *const c_char,
    message: *const c_char,
    _category: c_int,
) -> *const c_char {
    message
}
