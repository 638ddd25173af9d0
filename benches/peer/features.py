"""scikit-learn and pyod on the features of `cargo bench --workspace --bench features`.

    python features.py FILE METHOD [ROWS [COLUMNS]]

FILE is what CD_BENCH_FEATURES names there; METHOD is knn, ac, ss, isolation-forest or lid. Needs numpy, scikit-learn, pyod.
"""

import resource
import sys
import time

import numpy as np

CLASSES = 10


def knn(features):
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=17, algorithm="brute", n_jobs=-1).fit(features)
    return found.kneighbors(features)[0][:, -1]


def lid(features):
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=17, algorithm="brute", n_jobs=-1).fit(features)
    near = found.kneighbors(features)[0][:, 1:]
    return -16 / np.log(near / near[:, -1:]).sum(1)


def ac(features):
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_samples

    scores = np.zeros(len(features))
    for label in range(CLASSES):
        own = features[label::CLASSES]
        groups = KMeans(2, n_init=10, random_state=0).fit_predict(own)
        scores[label::CLASSES] = silhouette_samples(own, groups)
    return scores


def ss(features):
    from pyod.models.mad import MAD

    raw = np.zeros(len(features))
    for label in range(CLASSES):
        own = features[label::CLASSES]
        axis = np.linalg.svd(own - own.mean(0), full_matrices=False)[2][0]
        raw[label::CLASSES] = np.abs(own @ axis)
    return MAD().fit(raw[:, None]).decision_scores_


def isolation_forest(features):
    from sklearn.ensemble import IsolationForest

    return -IsolationForest(n_estimators=100, max_samples=256, random_state=0, n_jobs=-1).fit(features).score_samples(features)


METHODS = {"knn": knn, "lid": lid, "ac": ac, "ss": ss, "isolation-forest": isolation_forest}

path, method = sys.argv[1:3]
columns = int(sys.argv[4]) if len(sys.argv) > 4 else 512
rows = int(sys.argv[3]) if len(sys.argv) > 3 else 50_000
features = np.fromfile(path, "<f4").reshape(-1, columns)[:rows]
start = time.perf_counter()
scores = METHODS[method](features)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(f"{method}, {rows} x {columns}: {seconds:.1f} s, peak {peak} MB, sum of scores {scores.sum():.6f}")
