"""What a prediction is, in formulas over weights by name, for the documentation."""

SHARED = """\
    BN(x)  = (x - moving_mean) / sqrt(moving_variance + 1e-3) * gamma + beta
    L2(x)  = x / sqrt(max(sum of x^2, 1e-12))
    relu(x) = max(x, 0),  relu6(x) = min(max(x, 0), 6),  sigmoid(x) = 1 / (1 + exp(-x))

    frames    x_t = L2(q_t * 4 / 255 + 4 / 512 - 2)          bytes q_t of frame t, all features together
              x_t = BN(x_t)                                  pooling/input_normalization, where there is one
    pooling   v = [v_rgb, v_audio], v_f from the columns of x_t that are feature f's and pooling/f/*, see below;
                                                             with branches: joint, all columns and pooling/frames/*
    hidden    h = v K + b                                    K, b: hidden/dense/kernel, bias
              h = BN(v K)                                    where there is hidden/normalization instead of the bias
              h = relu6(h)                                   with hidden_relu6
              no hidden layer (logistic, rnn): h = v
    gate      h = h * sigmoid(BN(h G))                       G: context_gate/kernel, BN: context_gate/normalization;
                                                             gating_remove_diagonal: G's diagonal counts as 0
              h = h * sigmoid(relu(BN(h S)) E)               S, E: context_gate/squeeze/kernel, excite/kernel
    logistic  p = sigmoid(h K + b)                           K, b: head/dense/kernel, bias
    moe       e = sigmoid(h K + b)                           K, b: head/experts/kernel, bias; column c M + m is
                                                             expert m = 0 .. M - 1 of class c
              g = softmax over m = 0 .. M of h G             G: head/gates/kernel; column c (M + 1) + m is gate m of
                                                             class c; gate M says no
                                                             with a gate_rank: of h R G, R: head/gates_low_rank/kernel
              p_c = sum over m < M of g_cm e_cm
    labels    p = p * sigmoid(BN(p L))                       L, BN: label_gate/kernel, normalization;
                                                             label_gating_remove_diagonal: L's diagonal counts as 0
              p = p * sigmoid(BN(h L))                       label_gating: input
"""
"""The steps that families share; a model has those whose weights it has."""

_ASSIGNMENT = "a_t = softmax over k of BN(x_t W)                  W, BN: assignment/kernel, normalization\n"

FORMULAS = {
    "dbof": f"""\
    gated, soft:
    {_ASSIGNMENT}\
    s   = sum_t a_t
    v   = L2(s)
    v   = L2(s * sigmoid(BN(L2(max_t a_t) R U)))       gated, first feature: R, U, BN: gate_projection/kernel,
                                                       gate/kernel, gate/normalization
    max, average:
    v   = max_t or mean_t of relu6(BN(x_t W))          W, BN: assignment/kernel, normalization
""",
    "logistic": """\
    v   = mean_t x_t                                   all features together
""",
    "netfv": f"""\
    {_ASSIGNMENT}\
    s_k = sum_t a_tk
    sigma_k = w_k^2 + 1e-6                             w: deviations
    c                                                  centers; coupled: coupling_factor * W
    F1_k = L2((sum_t a_tk x_t - s_k c_k) / sigma_k)
    F2_k = (s_k c_k^2 + sum_t a_tk x_t^2 - 2 c_k sum_t a_tk x_t) / sigma_k^2 - s_k
    v   = [L2([F1_1, F1_2, ...]), L2([F2_1, F2_2, ...])]
""",
    "netvlad": f"""\
    {_ASSIGNMENT}\
    V_k = L2(sum_t a_tk (x_t - c_k))                   c: centers; 0 without them
    v   = L2([V_1, V_2, ...])
""",
    "nextvlad": """\
    y_t = x_t E + e                                    E, e: expansion/kernel, bias; G groups of columns, y_tg is one
    b_t = sigmoid(y_t A + a)                           A, a: attention/kernel, bias; a number b_tg for each group
    a_tg = b_tg softmax over k of (BN(y_t W))_g        W, BN: assignment/kernel, normalization; column g K + k is
                                                       cluster k in group g
    V_k = L2(sum_t sum_g a_tgk (y_tg - c_k))           c: centers
    v   = BN([V_1, V_2, ...])                          normalization
""",
    "rnn": """\
    x_t = relu6(x_t K + b)                             per_feature only: K, b: projection/kernel, bias (the winners'
                                                       code has a batch normalization in place of this bias)
    o_t = [there_t, back_t]                            the cells bidirectional/forward_half over t = 1 .. n and
                                                       bidirectional/backward_half over t = n .. 1
    v   = c_n (lstm) or h_n (gru)                      of the cell forward over o_1 .. o_n; n real frames
    A cell starts at h_0 = c_0 = 0, with W, U, b: kernel, recurrent_kernel, bias of lstm_cell or gru_cell.
    lstm_cell, columns of W, U and b in the order i, f, g, o:
    i, f, g, o = x_t W + h_(t-1) U + b
    c_t = sigmoid(f) * c_(t-1) + sigmoid(i) * tanh(g),  h_t = sigmoid(o) * tanh(c_t)
    gru_cell, columns in the order z, r, g:
    z, r = sigmoid(x_t W_zr + h_(t-1) U_zr + b_zr)
    h_t = z * h_(t-1) + (1 - z) * tanh(x_t W_g + (r * h_(t-1)) U_g + b_g)
""",
}
"""The descriptor v of one feature (or of all together, under `pooling/frames`)."""
