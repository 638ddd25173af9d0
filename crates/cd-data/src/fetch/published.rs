//! Where data sets are published, and what their files are told by.

/// File name of the official archive of CIFAR-10.
pub const CIFAR10_FILE: &str = "cifar-10-binary.tar.gz";

/// A data set with a public address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Name on the command line.
    pub name: &'static str,
    /// What is downloaded and how much that is.
    pub summary: &'static str,
    /// Folder in which its reader looks when no other is named.
    pub folder: &'static str,
    /// Its files.
    pub files: &'static [PublishedFile],
}

/// One file of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedFile {
    /// Where it lies.
    pub url: &'static str,
    /// What it is called on disk.
    pub name: &'static str,
    /// MD5 of the published file in lower-case hexadecimal digits: from the pages of the data sets and torchvision's tables.
    pub md5: &'static str,
}

macro_rules! files {
    ($base:literal: $($name:literal $md5:literal),+ $(,)?) => {
        &[$(PublishedFile {
            url: concat!($base, $name),
            name: $name,
            md5: $md5,
        },)+]
    };
}

/// Every data set that can be downloaded.
pub const PUBLISHED: &[Published] = &[
    Published {
        name: "cifar10",
        summary: "CIFAR-10, binary (170 MB)",
        folder: "data/cifar10",
        files: files!("https://www.cs.toronto.edu/~kriz/":
            "cifar-10-binary.tar.gz" "c32a1d4ab5d03f1284b67883e8d87530"),
    },
    Published {
        name: "cifar100",
        summary: "CIFAR-100, binary (169 MB)",
        folder: "data/cifar100",
        files: files!("https://www.cs.toronto.edu/~kriz/":
            "cifar-100-binary.tar.gz" "03b5dce01913d631647c71ecec9e9cb8"),
    },
    Published {
        name: "mnist",
        summary: "MNIST (12 MB)",
        folder: "data/mnist",
        files: files!("https://ossci-datasets.s3.amazonaws.com/mnist/":
            "train-images-idx3-ubyte.gz" "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz" "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz" "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz" "ec29112dd5afa0611ce80d1b7f02629c"),
    },
    Published {
        name: "fashion_mnist",
        summary: "Fashion-MNIST (31 MB); data set `mnist`, which tells the two apart",
        folder: "data/fashion-mnist",
        files: files!("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/":
            "train-images-idx3-ubyte.gz" "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz" "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz" "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz" "bb300cfdad3c16e7a12a480ee83cd310"),
    },
    Published {
        name: "svhn",
        summary: "SVHN, cropped digits (246 MB)",
        folder: "data/svhn",
        files: files!("http://ufldl.stanford.edu/housenumbers/":
            "train_32x32.mat" "e26dedcc434d2e4c54c9b2d4a06d8373",
            "test_32x32.mat" "eb5a983be6a315427106f1b164d9cef3"),
    },
    Published {
        name: "svhn_extra",
        summary: "SVHN, its additional digits (1.3 GB)",
        folder: "data/svhn",
        files: files!("http://ufldl.stanford.edu/housenumbers/":
            "extra_32x32.mat" "a93ce644f1a588dc4d68dda5feec44a7"),
    },
    Published {
        name: "gtsrb",
        summary: "GTSRB: training pictures of the online phase, which torchvision and the benchmarks use, and the test pictures (277 MB)",
        folder: "data/gtsrb",
        files: files!("https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/":
            "GTSRB-Training_fixed.zip" "513f3c79a4c5141765e10e952eaa2478",
            "GTSRB_Final_Test_Images.zip" "c7e4e6327067d32654124b0fe9e82185",
            "GTSRB_Final_Test_GT.zip" "fe31e9c9270bbcd7b84b7f21a9d9d9e5"),
    },
    Published {
        name: "tiny_imagenet",
        summary: "Tiny-ImageNet (248 MB)",
        folder: "data/tiny-imagenet-200",
        files: files!("http://cs231n.stanford.edu/":
            "tiny-imagenet-200.zip" "90528d7ca1a48142e341f4ef8d21d0de"),
    },
];
