//! Stand-ins for the C compiler's library of stack unwinding.
//!
//! In the agent a panic aborts, so no stack is ever unwound. The standard library calls the unwinder all the same,
//! to print where a panic came from: code that reads debug information, decompresses it and makes names
//! readable, a quarter of the agent that has no debug information to read. As these functions walk over no frame,
//! the optimiser sees that none of it can run, and leaves it out.

#![allow(unsafe_code)] // A name that the linker looks for can be any function: the compiler can't check it.

use std::ffi::{c_int, c_void};
use std::process::abort;

/// What `_Unwind_Backtrace` gives at the end of the stack.
const END_OF_STACK: c_int = 5;

/// Walks over the stack of somebody who has none.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_each_frame: *mut c_void, _argument: *mut c_void) -> c_int {
    END_OF_STACK
}

/// Functions that are called only while a stack is unwound.
macro_rules! never_called {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> ! {
            abort()
        }
    )*};
}

// All of the library, as one of its own functions would bring the others with it, and each name can be there once.
never_called! {
    _Unwind_DeleteException _Unwind_FindEnclosingFunction _Unwind_ForcedUnwind _Unwind_GetCFA
    _Unwind_GetDataRelBase _Unwind_GetIP _Unwind_GetIPInfo _Unwind_GetLanguageSpecificData
    _Unwind_GetRegionStart _Unwind_GetTextRelBase _Unwind_RaiseException _Unwind_Resume
    _Unwind_Resume_or_Rethrow _Unwind_SetGR _Unwind_SetIP
}
