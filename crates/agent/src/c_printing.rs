//! Stubs for parts of the GNU C library that the agent never needs.
//!
//! Linked statically, the library brings formatted printing, number parsing and translated
//! messages, for its own errors and for reading `/proc/self/maps` once: a quarter of the agent.
//! Rust has its own printing.
//!
//! The names are weak: if another version of the library needs the real function, the linker takes
//! that one, and the agent is larger.

// The compiler can't check that a name which the linker looks for is the right function.
#![allow(unsafe_code)]

use std::arch::global_asm;
use std::ffi::{c_char, c_int, c_void};

/// Replaces functions of the library by stubs.
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

/// The standard library asks for the end of the stack, to report a stack overflow as such; without
/// it, the process is killed without that message.
extern "C" fn no_attributes(_thread: usize, _attributes: *mut c_void) -> c_int {
    ENOSYS
}

/// Fails, as printing can: for an error without a name, Rust prints its number.
extern "C" fn print_nothing(
    _file: *mut c_void,
    _format: *const c_void,
    _arguments: *mut c_void,
    _flags: u32,
) -> c_int {
    -1
}

/// Returns the message untranslated: the agent's messages are English in every locale.
extern "C" fn translate_nothing(
    _domain: *const c_char,
    message: *const c_char,
    _category: c_int,
) -> *const c_char {
    message
}
