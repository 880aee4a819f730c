//! Which of many racks are rolled next: waves, canaries first, so many at once, until too many
//! have failed. Pure: the command line and the console ask the same question.

/// How a rack of many stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It has not begun.
    Waiting,
    /// It is under way.
    Rolling,
    /// It has ended well.
    Done,
    /// It has ended in any other way.
    Failed,
}

/// One rack of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The wave that it belongs to; each waits for the end of those before it.
    pub wave: u32,
    /// Whether the later waves wait for it to end well, whatever number of others may fail.
    pub is_canary: bool,
    /// How it stands.
    pub turn: Turn,
}

/// How many at once, and how many may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lineup {
    /// How many racks are rolled at once, from 1.
    pub at_once: usize,
    /// So many that fail, and no more begin; from 1.
    pub stop_after: usize,
}

/// What is next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// These begin, by their places.
    Begin(Vec<usize>),
    /// Nothing, before one of those that are under way has ended.
    Wait,
    /// Too many have failed, or a canary has: no more begin.
    Stop,
    /// All have ended.
    Over,
}

impl Lineup {
    /// Says what is next.
    #[must_use]
    pub fn next(&self, places: &[Place]) -> Next {
        let is = |turn: Turn| move |place: &&Place| place.turn == turn;
        let rolling = places.iter().filter(is(Turn::Rolling)).count();
        let Some(wave) = places
            .iter()
            .filter(is(Turn::Waiting))
            .map(|it| it.wave)
            .min()
        else {
            return if rolling == 0 { Next::Over } else { Next::Wait };
        };
        let failed = places.iter().filter(is(Turn::Failed));
        let canary_failed = failed.clone().any(|place| place.is_canary);
        if canary_failed || failed.count() >= self.stop_after.max(1) {
            return Next::Stop;
        }
        let before = places.iter().filter(|place| place.wave < wave);
        if before.clone().any(|place| place.turn == Turn::Rolling) {
            return Next::Wait;
        }
        let room = self.at_once.max(1).saturating_sub(rolling);
        let waiting = places.iter().enumerate();
        let waiting =
            waiting.filter(|(_, place)| place.turn == Turn::Waiting && place.wave == wave);
        let begin: Vec<usize> = waiting.map(|(at, _)| at).take(room).collect();
        if begin.is_empty() {
            Next::Wait
        } else {
            Next::Begin(begin)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn place(wave: u32, turn: Turn) -> Place {
        Place {
            wave,
            is_canary: wave == 0,
            turn,
        }
    }

    #[test]
    fn a_canary_comes_first_and_then_waves_with_so_many_at_once() {
        use Turn::{Done, Failed, Rolling, Waiting};
        let two = Lineup {
            at_once: 2,
            stop_after: 2,
        };
        let ask = |turns: [Turn; 5]| {
            let waves = [0, 1, 1, 1, 2];
            let places: Vec<_> = waves.into_iter().zip(turns).collect();
            let places: Vec<_> = places.into_iter().map(|(w, turn)| place(w, turn)).collect();
            two.next(&places)
        };
        assert_eq!(ask([Waiting; 5]), Next::Begin(vec![0]));
        assert_eq!(
            ask([Rolling, Waiting, Waiting, Waiting, Waiting]),
            Next::Wait
        );
        assert_eq!(
            ask([Done, Waiting, Waiting, Waiting, Waiting]),
            Next::Begin(vec![1, 2])
        );
        assert_eq!(
            ask([Done, Rolling, Done, Waiting, Waiting]),
            Next::Begin(vec![3])
        );
        assert_eq!(ask([Done, Rolling, Done, Done, Waiting]), Next::Wait);
        assert_eq!(
            ask([Done, Failed, Done, Done, Waiting]),
            Next::Begin(vec![4])
        );
        assert_eq!(ask([Done, Failed, Failed, Waiting, Waiting]), Next::Stop);
        assert_eq!(
            ask([Failed, Waiting, Waiting, Waiting, Waiting]),
            Next::Stop
        );
        assert_eq!(ask([Done, Done, Done, Done, Rolling]), Next::Wait);
        assert_eq!(ask([Done; 5]), Next::Over);
        assert_eq!(ask([Done, Done, Done, Done, Failed]), Next::Over);
    }

    proptest! {
        /// Plays a line-up to its end with racks that fail as they are told to.
        #[test]
        fn nobody_is_begun_twice_nor_too_many_at_once_nor_before_their_turn(
            racks in proptest::collection::vec((0u32..4, any::<bool>()), 1..40),
            at_once in 1usize..6,
            stop_after in 1usize..5,
            picks in proptest::collection::vec(any::<prop::sample::Index>(), 200),
        ) {
            let lineup = Lineup { at_once, stop_after };
            let mut places: Vec<_> = racks.iter().map(|(wave, _)| place(*wave, Turn::Waiting)).collect();
            let mut picks = picks.into_iter();
            loop {
                match lineup.next(&places) {
                    Next::Begin(begun) => {
                        for at in begun {
                            prop_assert_eq!(places[at].turn, Turn::Waiting);
                            let wave = places[at].wave;
                            for other in &places {
                                let ended = matches!(other.turn, Turn::Done | Turn::Failed);
                                prop_assert!(other.wave >= wave || ended);
                            }
                            places[at].turn = Turn::Rolling;
                        }
                        let rolling = places.iter().filter(|it| it.turn == Turn::Rolling).count();
                        prop_assert!(rolling <= at_once);
                    }
                    Next::Wait => {
                        let rolling: Vec<_> = (0..places.len())
                            .filter(|at| places[*at].turn == Turn::Rolling)
                            .collect();
                        prop_assert!(!rolling.is_empty(), "it would wait for ever");
                        let at = picks.next().map_or(rolling[0], |pick| rolling[pick.index(rolling.len())]);
                        places[at].turn = if racks[at].1 { Turn::Failed } else { Turn::Done };
                    }
                    Next::Stop => {
                        let failed: Vec<_> = places.iter().filter(|it| it.turn == Turn::Failed).collect();
                        prop_assert!(failed.len() >= stop_after || failed.iter().any(|it| it.is_canary));
                        break;
                    }
                    Next::Over => {
                        prop_assert!(places.iter().all(|it| matches!(it.turn, Turn::Done | Turn::Failed)));
                        break;
                    }
                }
            }
        }
    }
}
