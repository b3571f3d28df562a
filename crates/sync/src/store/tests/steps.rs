//! Anything happens to a store, in any order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Something that happens to a store.
#[derive(Debug, Clone)]
enum Step {
    Push { site: u8, numbers: Vec<u32> },
    Forget { site: u8 },
    Pass { hours: u32 },
    Prune,
    Reopen,
    Damage { file: usize, at: usize, bit: u8, cut: bool },
}

fn steps(damage: u32) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..4_u8, proptest::collection::vec(0..60_u32, 1..12))
            .prop_map(|(site, numbers)| Step::Push { site, numbers }),
        1 => (0..4_u8).prop_map(|site| Step::Forget { site }),
        3 => (0..100_u32).prop_map(|hours| Step::Pass { hours }),
        3 => Just(Step::Prune),
        1 => Just(Step::Reopen),
        damage => (any::<usize>(), any::<usize>(), 0..8_u8, any::<bool>())
            .prop_map(|(file, at, bit, cut)| Step::Damage { file, at, bit, cut }),
    ];
    proptest::collection::vec(step, 1..60)
}

impl FreeSpace {
    fn damage(&self, file: usize, at: usize, bit: u8, cut: bool) {
        let files = self.files();
        let Some(found) = files.get(file % files.len().max(1)) else { return };
        let mut bytes = fs::read(&found.path).unwrap();
        let at = at % bytes.len().max(1);
        match bytes.get_mut(at) {
            Some(byte) if !cut => *byte ^= 1 << bit,
            _ => bytes.truncate(at),
        }
        // In place, as a disk does it: the store may have it open.
        fs::write(&found.path, bytes).unwrap();
        File::options()
            .write(true)
            .open(&found.path)
            .unwrap()
            .set_modified(found.modified)
            .unwrap();
    }

    fn step(&self, store: &mut Store, sites: &mut BTreeMap<u8, Vec<u32>>, step: &Step) {
        match step {
            Step::Push { site, numbers } => {
                push(store, &format!("h:{site}"), numbers);
                sites.insert(*site, numbers.clone());
            }
            Step::Forget { site } => {
                store.forget(&key(&format!("h:{site}"))).unwrap();
                sites.remove(site);
            }
            Step::Pass { hours } => self.pass(HOUR * *hours),
            Step::Prune => {
                store.prune_at(self.now).unwrap();
            }
            Step::Reopen => *store = self.store(),
            Step::Damage { file, at, bit, cut } => self.damage(*file, *at, *bit, *cut),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens in whatever order: what a destination has that was pushed to is there.
    #[test]
    fn what_destinations_have_is_never_lost(steps in steps(0)) {
        let room = FreeSpace::new();
        let (mut store, mut sites) = (room.store(), BTreeMap::new());
        for step in &steps {
            // Nobody forgets a destination here because of its age.
            for found in room.files().iter().filter(|found| layout::age(room.now, found.modified) > 80 * DAY) {
                File::options().write(true).open(&found.path).unwrap().set_modified(room.now - DAY).unwrap();
            }
            room.step(&mut store, &mut sites, step);
        }
        for store in [store, room.store()] {
            for (site, numbers) in &sites {
                prop_assert_eq!(store.state(&key(&format!("h:{site}"))).unwrap().entries, entries(numbers));
                for &number in numbers {
                    prop_assert_eq!(get(&store, number), Some(content(number)));
                }
            }
        }
    }

    /// The same with damage: there is less, but nothing is wrong, and nothing fails.
    #[test]
    fn damage_makes_nothing_wrong(steps in steps(6)) {
        let room = FreeSpace::new();
        let (mut store, mut sites) = (room.store(), BTreeMap::new());
        for step in &steps {
            room.step(&mut store, &mut sites, step);
            for number in 0..60 {
                let got = get(&store, number);
                prop_assert!(got.is_none_or(|got| got == content(number)));
            }
            for site in 0..4 {
                let state = store.state(&key(&format!("h:{site}")));
                prop_assert!(state.is_none_or(|got| sites.get(&site).is_some_and(|it| entries(it) == got.entries)));
            }
            store.status().unwrap();
        }
    }
}
