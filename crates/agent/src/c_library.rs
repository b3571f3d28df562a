//! Stubs for parts of the GNU C library that the agent never needs.
//!
//! Linked statically, the library brings formatted printing, number parsing, translated messages,
//! conversions between character sets, loading of other libraries and a resolver of host names, for
//! its own errors, for reading `/proc/self/maps` once, and because every thread has a state of the
//! resolver: a third of the agent. Rust has its own printing.
//!
//! The names are weak: if another version of the library needs the real function, the linker takes
//! that one, and the agent is larger.

// The compiler can't check that a name which the linker looks for is the right function.
#![allow(unsafe_code)]

use std::arch::global_asm;
use std::ffi::{c_char, c_int, c_void};

/// Replaces functions and tables of the library by stubs.
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
    find_no_symbol for "dlsym"
    do_nothing for "__res_vinit"
    do_nothing for "__resolv_conf_detach"
    do_nothing for "__res_iclose"
    do_nothing for "__wcsmbs_clone_conv"
    do_nothing for "__wcsmbs_load_conv"
    do_nothing for "__wcsmbs_named_conv"
    do_nothing for "__asprintf"
    print_nothing for "__fxprintf"
    NO_CONVERSIONS for "__wcsmbs_gconv_fcts_c"
}

/// The conversions of the locale C between wide and other characters, which only wide streams use.
/// The library's own bring tables of characters, the reading of locales, and loading of libraries.
static NO_CONVERSIONS: [usize; 8] = [0; 8];

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

/// Finds nothing: a static program has no other library to look in. The standard library asks for
/// functions that a system may lack, and does without.
extern "C" fn find_no_symbol(_library: *mut c_void, _name: *const c_char) -> *mut c_void {
    std::ptr::null_mut()
}

/// Fails. Nothing that the agent does calls it: it resolves no host names, and prints no wide
/// characters and none of the library's messages.
extern "C" fn do_nothing(_state: *mut c_void, _other: *mut c_void) -> c_int {
    -1
}
