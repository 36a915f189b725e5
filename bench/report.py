# SPDX-License-Identifier: MIT
"""The results for people: a table in Markdown, and plots where matplotlib is there."""
import plots


def table(results):
    lines = ['| | what | must reach | got |', '|---|---|---|---|']
    for row in results['rows']:
        mark = '✓' if row['reached'] else '✗'
        lines.append(f'| {mark} | {row["what"]} | {row["must"]} | {row["got"]} |')
    return '\n'.join(lines)


def about(results):
    return '\n'.join(f'- {name}: {text}' for name, text in results['about'].items())


def write(results, folder):
    reached = sum(row['reached'] for row in results['rows'])
    text = f'''{about(results)}

{reached} of {len(results["rows"])} rows reached{" (a quick run)" if results["quick"] else ""}.

{table(results)}
'''
    (folder / 'table.md').write_text(text, encoding='utf-8')
    plots.write(results['curves'], folder)
