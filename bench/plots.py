# SPDX-License-Identifier: MIT
"""How cost grows, as SVG."""

try:
    import matplotlib
    matplotlib.use('svg')
    from matplotlib import pyplot
except ImportError:
    pyplot = None

COLOURS = {'restante': '#1b6ca8', 'null': '#888888', 'dovecot-tuned': '#c8553d',
           'dovecot': '#e09f3e'}


def draw(curve, path):
    """{title, x, y, log_x, log_y, lines: {name: [[x, y], …]}}"""
    figure, axes = pyplot.subplots(figsize=(7.2, 4.2))
    for name, points in curve['lines'].items():
        axes.plot([p[0] for p in points], [p[1] for p in points], marker='o', markersize=4,
                  label=name, color=COLOURS.get(name.split(',')[0]),
                  linestyle='--' if 'TLS' in name else '-')
    axes.set_title(curve['title'], fontsize=11)
    axes.set_xlabel(curve['x'])
    axes.set_ylabel(curve['y'])
    axes.set_xscale('log' if curve.get('log_x') else 'linear')
    if curve.get('log_y'):
        axes.set_yscale('log')
    else:
        axes.set_ylim(bottom=0)
    axes.grid(True, which='major', linewidth=0.4, color='#cccccc')
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={'Date': None})
    pyplot.close(figure)


def write(curves, folder):
    if pyplot is None:
        if curves:
            print('no plots: python3-matplotlib is not there')
        return
    matplotlib.rcParams.update({'svg.hashsalt': 'restante', 'font.family': 'sans-serif'})
    for name, curve in curves.items():
        draw(curve, folder / f'{name}.svg')
