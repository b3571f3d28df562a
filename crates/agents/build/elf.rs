//! Whether a program needs a loader, and so libraries of the host it runs on.

/// The type of the program header that names a loader (`PT_INTERP`).
const INTERPRETER: u64 = 3;

/// The numbers of machines (`e_machine`), by the names that `uname -m` prints.
const MACHINES: [(&str, [u8; 2]); 2] = [("x86_64", [62, 0]), ("aarch64", [183, 0])];

/// Whether an ELF file is for a machine. Machines that the command knows nothing of are not
/// checked.
pub fn is_for(program: &[u8], arch: &str) -> bool {
    let number = MACHINES.iter().find(|(name, _)| *name == arch).map(|(_, number)| number);
    number.is_none_or(|number| program.get(18..20) == Some(number))
}

/// Whether `program` names a loader; `None` if it is not a whole ELF file.
pub fn needs_loader(program: &[u8]) -> Option<bool> {
    let header = program.strip_prefix(b"\x7fELF")?;
    let is_64_bit = *header.first()? == 2;
    let is_little = *header.get(1)? == 1;
    let number = |at: u64, size: usize| -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let bytes = program.get(at..at.checked_add(size)?)?.iter();
        let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if is_little { bytes.rev().fold(0, fold) } else { bytes.fold(0, fold) })
    };
    let (offset, size, count) = match is_64_bit {
        true => (number(32, 8)?, number(54, 2)?, number(56, 2)?),
        false => (number(28, 4)?, number(42, 2)?, number(44, 2)?),
    };
    for index in 0..count {
        if number(offset.checked_add(index * size)?, 4)? == INTERPRETER {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file of nothing but its header and two program headers, the second of type `last`.
    fn elf(is_64_bit: bool, is_little: bool, last: u8) -> Vec<u8> {
        let (header, size, fields) =
            if is_64_bit { (64, 56, [32, 54, 56]) } else { (52, 32, [28, 42, 44]) };
        let mut file = vec![0; header + 2 * size];
        file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 1 + u8::from(is_64_bit), 2]);
        let mut put = |at: usize, length: usize, value: usize| {
            file[at + if is_little { 0 } else { length - 1 }] = u8::try_from(value).unwrap();
        };
        put(fields[0], if is_64_bit { 8 } else { 4 }, header);
        put(fields[1], 2, size);
        put(fields[2], 2, 2);
        put(header, 4, 1);
        put(header + size, 4, last.into());
        file[5] = if is_little { 1 } else { 2 };
        file
    }

    #[test]
    fn a_program_with_a_loader_is_recognized() {
        for is_64_bit in [true, false] {
            for is_little in [true, false] {
                assert_eq!(needs_loader(&elf(is_64_bit, is_little, 3)), Some(true));
                assert_eq!(needs_loader(&elf(is_64_bit, is_little, 2)), Some(false));
            }
        }
    }

    #[test]
    fn a_cut_or_foreign_file_is_not_taken_for_static() {
        let whole = elf(true, true, 2);
        for end in 0..whole.len() - 52 {
            assert_eq!(needs_loader(&whole[..end]), None, "{end} bytes");
        }
        assert_eq!(needs_loader(b"#!/bin/sh\n"), None);
        let mut far = whole;
        far[32..40].fill(0xff);
        assert_eq!(needs_loader(&far), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_tests_need_a_loader_and_the_agent_does_not() {
        let tests = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(needs_loader(&tests), Some(true));
        for agent in crate::carried().iter().filter(|agent| agent.kernel == "Linux") {
            let program = agent.program().unwrap();
            assert_eq!(needs_loader(&program), Some(false));
            assert!(is_for(&program, &agent.arch));
        }
    }

    #[test]
    fn a_program_for_another_machine_is_recognized() {
        let mut arm = elf(true, true, 2);
        arm[18] = 183;
        assert!(is_for(&arm, "aarch64") && !is_for(&arm, "x86_64") && is_for(&arm, "riscv64"));
        assert!(!is_for(&arm[..18], "aarch64"));
    }
}
