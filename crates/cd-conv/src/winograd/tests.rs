use super::*;
use crate::level::tests::at_every_level;
use crate::reference::assert_close;
use crate::{Activation, Dense};

#[test]
fn it_agrees_with_the_direct_way_on_odd_and_even_maps() {
    at_every_level(|_| {
        for (height, width, batch) in [(1, 1, 2), (2, 3, 5), (4, 4, 40), (7, 10, 3), (32, 32, 1)] {
            let map = Map {
                height,
                width,
                channels: FEWEST,
            };
            let wave = |count: usize, step: f32| -> Vec<f32> {
                (0..count).map(|k| (k as f32 * step).sin()).collect()
            };
            let weights = wave(FEWEST * FEWEST * 9, 0.37);
            let images = wave(batch * map.len(), 0.71);
            let same = Geometry {
                kernel: [3, 3],
                stride: [1, 1],
                padding: [1, 1],
            };
            assert!(Winograd::suits(same, FEWEST, FEWEST));
            // The same windows, framed by zeros to 5 x 5: the direct way.
            let wide = Geometry {
                kernel: [5, 5],
                padding: [2, 2],
                ..same
            };
            let mut framed = vec![0.0; FEWEST * FEWEST * 25];
            for (place, weight) in weights.iter().enumerate() {
                let (window, tap) = (place / 9, place % 9);
                framed[window * 25 + (tap / 3 + 1) * 5 + tap % 3 + 1] = *weight;
            }
            let bias = wave(FEWEST, 1.3);
            let residual = wave(images.len(), 0.11);
            let epilogue = Epilogue {
                bias: Some(&bias),
                residual: Some(&residual),
                activation: Activation::Relu6,
            };
            let ours = Dense::forward(&weights, [FEWEST; 2], same);
            let direct = Dense::forward(&framed, [FEWEST; 2], wide);
            let what = format!("{height} x {width}");
            assert_close(
                &ours.apply(&images, map, map, &epilogue),
                &direct.apply(&images, map, map, &epilogue),
                &what,
            );
            let ours = Dense::backward(&weights, [FEWEST; 2], same);
            let direct = Dense::backward(&framed, [FEWEST; 2], wide);
            assert_close(
                &ours.apply(&images, map, map, &Epilogue::default()),
                &direct.apply(&images, map, map, &Epilogue::default()),
                &what,
            );
        }
    });
}

#[test]
fn an_image_does_not_depend_on_its_batch() {
    at_every_level(|_| {
        let map = Map {
            height: 5,
            width: 6,
            channels: FEWEST,
        };
        let wave = |count: usize| -> Vec<f32> { (0..count).map(|k| (k as f32).sin()).collect() };
        let geometry = Geometry {
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
        };
        let dense = Dense::forward(&wave(FEWEST * FEWEST * 9), [FEWEST; 2], geometry);
        let images = wave(23 * map.len());
        let all = dense.apply(&images, map, map, &Epilogue::default());
        for (image, expected) in images.chunks(map.len()).zip(all.chunks(map.len())) {
            assert_eq!(dense.apply(image, map, map, &Epilogue::default()), expected);
        }
    });
}
