"""Independent implementations of the paper's definitions in numpy float64.

They use plain loops, or other formulas for the same quantity than the code; they are slow.
"""

import math

import numpy as np


def array(tensor):
    """A tensor as a float64 array."""
    return tensor.detach().cpu().numpy().astype(np.float64)


def weights(model):
    """The parameters of a VAE by name, as float64 arrays."""
    return {name: array(parameter) for name, parameter in model.named_parameters()}


def unflatten(vector, model):
    """The parameter vector of the fast paths, as float64 arrays by name.

    The vector holds all parameters in the model's order; each starts at a multiple of 64 elements.
    """
    named, start = {}, 0
    for name, parameter in model.named_parameters():
        stop = start + parameter.numel()
        named[name] = np.asarray(vector[start:stop], np.float64).reshape(parameter.shape)
        start = -(-stop // 64) * 64
    assert start == len(vector)
    return named


def _affine(w, layer, inputs):
    return np.einsum("...i,oi->...o", inputs, w[f"{layer}.weight"]) + w[f"{layer}.bias"]


def encode(w, x):
    """(mu, log sigma^2) of q(z|x)."""
    encoded = _affine(w, "encoder_out", np.tanh(_affine(w, "encoder_hidden", x)))
    n_z = encoded.shape[-1] // 2
    return encoded[..., :n_z], encoded[..., n_z:]


def decode_logits(w, z):
    return _affine(w, "decoder_out", np.tanh(_affine(w, "decoder_hidden", z)))


def decode_mean(w, z):
    # The sigmoid is computed by tanh, which cannot overflow.
    return 0.5 * (1 + np.tanh(0.5 * decode_logits(w, z)))


def kl(mu, log_variance):
    """KL(N(mu, sigma^2) || N(0, 1)) summed over latents: -log sigma + (sigma^2 + mu^2 - 1) / 2."""
    sigma = np.exp(log_variance / 2)
    return np.sum(-np.log(sigma) + (sigma**2 + mu**2 - 1) / 2, axis=-1)


def bernoulli_nll(logits, x):
    """-[x log s + (1 - x) log(1 - s)], s = sigmoid(logits), summed over pixels."""
    log_s, log_not_s = -np.logaddexp(0, -logits), -np.logaddexp(0, logits)
    return -np.sum(x * log_s + (1 - x) * log_not_s, axis=-1)


def negative_elbo(w, x, epsilon, beta):
    """(total, KL, reconstruction) in nats per image, by loops over images and samples."""
    kls, reconstructions = [], []
    for i, image in enumerate(x):
        mu, log_variance = encode(w, image)
        kls.append(kl(mu, log_variance))
        for sample in epsilon:
            z = mu + np.sqrt(np.exp(log_variance)) * sample[i]
            reconstructions.append(bernoulli_nll(decode_logits(w, z), image))
    mean_kl, mean_reconstruction = np.mean(kls), np.mean(reconstructions)
    return beta * mean_kl + mean_reconstruction, mean_kl, mean_reconstruction


def adam(start, gradients, rates, beta1=0.9, beta2=0.999, eps=1e-8):
    """The parameters after each step of Algorithm 1 of Kingma & Ba."""
    theta, m, v, path = np.array(start), 0.0, 0.0, []
    for t, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        theta = theta - rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        path.append(theta)
    return path


def rollout(w, x0, steps):
    """x(t) and z(t) of every trial for t = 0 ... T: ``[T+1, trials, ...]`` each."""
    images = np.empty((steps + 1, len(x0), x0.shape[1]))
    latents = np.empty((steps + 1, len(x0), len(w["decoder_hidden.weight"][0])))
    for trial, image in enumerate(x0):
        for t in range(steps + 1):
            images[t, trial] = image
            latents[t, trial] = encode(w, image)[0]
            image = decode_mean(w, latents[t, trial])
    return images, latents


def upsampling(n, size):
    """Linear interpolation of n samples at ``size`` points, as a matrix.

    Samples and points are the centres of n and of ``size`` equal parts of one interval.  Beyond the
    outermost samples the values are constant.
    """
    matrix = np.zeros((size, n))
    for row in range(size):
        position = (row + 0.5) * n / size - 0.5
        for sample in (math.floor(position), math.floor(position) + 1):
            matrix[row, min(max(sample, 0), n - 1)] += 1 - abs(position - sample)
    return matrix


def upsample(small, size):
    """Bilinear enlargement of square images ``[..., n, n]`` to ``[..., size, size]``."""
    matrix = upsampling(small.shape[-1], size)
    return matrix @ small @ matrix.T


def distance(a, b):
    return math.sqrt(sum((float(p) - float(q)) ** 2 for p, q in zip(a, b, strict=True)))


def concepts(memories, labels):
    rows = []
    for label in range(max(labels) + 1):
        rows.append(np.mean([m for m, k in zip(memories, labels, strict=True) if k == label], 0))
    return np.array(rows)


def segment_distance(start, end, target):
    """Smallest distance from a segment to a point: to an end, or the height of the triangle."""
    length = distance(start, end)
    to_start, to_end = distance(start, target), distance(end, target)
    if length == 0:
        return to_start
    # Position of the perpendicular's foot on the segment, by the law of cosines.
    foot = (to_start**2 + length**2 - to_end**2) / (2 * length)
    if foot <= 0:
        return to_start
    if foot >= length:
        return to_end
    return math.sqrt(max(to_start**2 - foot**2, 0))


def approaches(curve, control_minimum):
    """Whether a curve has one smallest value, at neither end, that is below the control."""
    smallest = min(curve)
    times = [t for t, value in enumerate(curve) if value == smallest]
    return len(times) == 1 and times[0] not in (0, len(curve) - 1) and smallest < control_minimum


def orthogonality(vectors):
    """Sum over pairs of (C_ij - delta_ij)^2, C_ij the cosine of the vectors i and j."""
    origin, total = np.zeros(len(vectors[0])), 0.0
    for i, a in enumerate(vectors):
        for j, b in enumerate(vectors):
            cosine = sum(a * b) / (distance(a, origin) * distance(b, origin))
            total += (cosine - (i == j)) ** 2
    return total


def classify(w, x):
    """Class probabilities of the classifier for images ``[N, 784]``, with the paper's layers."""

    def convolve(layer, inputs):  # 3 x 3, no padding: the sum over nine shifted images
        size = inputs.shape[-1] - 2
        kernel, total = w[f"{layer}.weight"], w[f"{layer}.bias"][:, None, None]
        for i in range(3):
            for j in range(3):
                shifted = inputs[:, :, i : i + size, j : j + size]
                product = np.tensordot(kernel[:, :, i, j], shifted, (1, 1))
                total = total + np.moveaxis(product, 0, 1)
        return np.maximum(total, 0)

    h = convolve("convolution2", convolve("convolution1", x.reshape(-1, 1, 28, 28)))
    h = h.reshape(len(h), 64, 12, 2, 12, 2).max((3, 5)).reshape(len(h), -1)
    logits = _affine(w, "out", np.maximum(_affine(w, "connected", h), 0))
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)
