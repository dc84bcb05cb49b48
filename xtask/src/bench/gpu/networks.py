"""Networks as PyTorch modules, with random weights of the same shapes: their time does not depend on them."""


def pairs(node, name, default):
    value = node.get(name, default)
    return (value, value) if isinstance(value, int) else tuple(value)


def vision_transformer(torch):
    """DeiT-S as PyTorch's own layers: 12 of width 384 with 6 heads, over 197 tokens."""
    functional, width, tokens = torch.nn.functional, 384, 197

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norms = torch.nn.ModuleList([torch.nn.LayerNorm(width, eps=1e-6) for _ in range(2)])
            self.qkv, self.out = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
            self.wide, self.narrow = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

        def forward(self, x):
            q, k, v = self.qkv(self.norms[0](x)).unflatten(-1, (3, 6, width // 6)).permute(2, 0, 3, 1, 4)
            x = x + self.out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
            return x + self.narrow(functional.gelu(self.wide(self.norms[1](x))))

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = torch.nn.Conv2d(3, width, 16, 16)
            self.token = torch.nn.Parameter(torch.randn(1, 1, width))
            self.places = torch.nn.Parameter(torch.randn(1, tokens, width))
            self.blocks = torch.nn.Sequential(*[Block() for _ in range(12)])
            self.norm, self.head = torch.nn.LayerNorm(width, eps=1e-6), torch.nn.Linear(width, 1000)

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
            return self.head(self.norm(self.blocks(x))[:, 0])

    return Network().eval().requires_grad_(False)


def network_of(torch, network):
    """The network as a PyTorch module with random weights."""
    return vision_transformer(torch) if network["name"] == "deit-s" else module_of(torch, network["graph"])


def module_of(torch, graph):
    """The graph as a PyTorch module with random weights: one functional call per node."""
    functional = torch.nn.functional

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = torch.nn.ParameterDict()
            shapes = {i["name"]: (1, *i["shape"]) for i in graph["inputs"]}
            self.calls = [self.call(node, shapes) for node in graph["nodes"]]

        def parameter(self, name, *shape):
            scale = 1.0 / max(1, shape[-1] if len(shape) == 2 else 8)
            name = name.replace(".", "_")
            self.weights[name] = torch.nn.Parameter(torch.randn(*shape) * scale, requires_grad=False)
            return name

        def call(self, node, shapes):
            kind, name, reads = node["op"], node["name"], node["inputs"]
            x = shapes[reads[0]]
            make = getattr(self, "make_" + kind, None)
            if make is None:
                raise ValueError(f"the script has no {kind}")
            function = make(node, name, x)
            with torch.no_grad():
                y = function(self.weights, *[torch.zeros(shapes[r]) for r in reads])
            shapes[name] = tuple(y.shape)
            return name, reads, function

        def make_linear(self, node, name, x):
            w = self.parameter(name + ".w", node["out_features"], x[1])
            b = self.parameter(name + ".b", node["out_features"]) if node.get("bias", True) else None
            return lambda p, v: functional.linear(v, p[w], p[b] if b else None)

        def make_conv2d(self, node, name, x):
            groups, n = node.get("groups", 1), node["out_channels"]
            w = self.parameter(name + ".w", n, x[1] // groups, *pairs(node, "kernel", 1))
            b = self.parameter(name + ".b", n) if node.get("bias", True) else None
            stride, dilation, pad = pairs(node, "stride", 1), pairs(node, "dilation", 1), padding(node)
            return lambda p, v: functional.conv2d(
                padded(v, pad), p[w], p[b] if b else None, stride, 0 if pad[0] != pad[2] or pad[1] != pad[3] else pad[:2], dilation, groups
            )

        def make_max_pool(self, node, name, x):
            kernel, pad = pairs(node, "kernel", 2), padding(node)
            stride, ceil = pairs(node, "stride", kernel), node.get("ceil_mode", False)
            return lambda p, v: functional.max_pool2d(v, kernel, stride, pad[:2], ceil_mode=ceil)

        def make_avg_pool(self, node, name, x):
            kernel, pad = pairs(node, "kernel", 2), padding(node)
            stride, ceil = pairs(node, "stride", kernel), node.get("ceil_mode", False)
            return lambda p, v: functional.avg_pool2d(v, kernel, stride, pad[:2], ceil_mode=ceil)

        def make_global_avg_pool(self, node, name, x):
            return lambda p, v: functional.adaptive_avg_pool2d(v, 1)

        def make_relu(self, node, name, x):
            return lambda p, v: functional.relu(v)

        def make_clip(self, node, name, x):
            return lambda p, v: torch.clamp(v, node["low"], node["high"])

        def make_add(self, node, name, x):
            return lambda p, v, w: v + w

        def make_flatten(self, node, name, x):
            return lambda p, v: torch.flatten(v, 1)

        def make_softmax(self, node, name, x):
            return lambda p, v: torch.softmax(v, 1)

        def make_dropout(self, node, name, x):
            return lambda p, v: v

        def make_identity(self, node, name, x):
            return lambda p, v: v

        def forward(self, x):
            values = {graph["inputs"][0]["name"]: x}
            for name, reads, function in self.calls:
                values[name] = function(self.weights, *[values[r] for r in reads])
            return values[graph["outputs"][0]]

    def padding(node):
        pad = node.get("padding", 0)
        if isinstance(pad, dict):
            return pad.get("top", 0), pad.get("left", 0), pad.get("bottom", 0), pad.get("right", 0)
        if isinstance(pad, int):
            return pad, pad, pad, pad
        return tuple(pad) if len(pad) == 4 else (pad[0], pad[1], pad[0], pad[1])

    def padded(v, pad):
        top, left, bottom, right = pad
        return v if top == bottom and left == right else functional.pad(v, (left, right, top, bottom))

    return Network().eval()
