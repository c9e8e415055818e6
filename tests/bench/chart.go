package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// chart is a picture of panels below each other, drawn as SVG that needs nothing else.
type chart struct {
	panels []panel
}

// panel is one diagram: series over a common axis.
type panel struct {
	title  string
	x, y   axis
	series []series
	bands  []band
}

// series is a line through points. With marks each point is drawn, and a bar from its lowest to its highest value.
type series struct {
	name   string
	color  string
	marks  bool
	points []point
}

// point is a value, and how far it spread. The bar is left out where low and high are the value.
type point struct{ x, y, low, high float64 }

// band is a stretch of the x axis with a name.
type band struct {
	from, to float64
	name     string
	shaded   bool
}

// Where things are in a panel, in pixels, as in the other pictures of the documentation.
const (
	chartWidth  = 720
	panelHeight = 230
	plotLeft    = 60
	plotRight   = 660
	plotTop     = 28
	plotBottom  = 196
)

// svg draws the chart.
func (c chart) svg() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11"><rect width="100%%" height="100%%" fill="#fff"/>`+"\n",
		chartWidth, panelHeight*len(c.panels))
	for i, p := range c.panels {
		fmt.Fprintf(&b, `<g transform="translate(0 %d)">`+"\n", i*panelHeight)
		p.draw(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// draw draws a panel, what lies behind first.
func (p panel) draw(b *bytes.Buffer) {
	x, y := p.x.placed(p.xs(), plotLeft, plotRight), p.y.placed(p.ys(), plotBottom, plotTop)
	for _, one := range p.bands {
		one.draw(b, x)
	}
	fmt.Fprintf(b, `<text x="%d" y="16" font-weight="bold">%s</text>`+"\n", plotLeft, escaped(p.title))
	p.legend(b)
	for _, t := range y.ticks {
		at := y.at(t.value)
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			plotLeft, plotRight, at, at, plotLeft-6, at+4, escaped(t.label))
	}
	for _, t := range x.ticks {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x.at(t.value), plotBottom+16, escaped(t.label))
	}
	for _, s := range p.series {
		s.draw(b, x, y)
	}
}

// legend names the series at the top right, if there are several.
func (p panel) legend(b *bytes.Buffer) {
	if len(p.series) < 2 {
		return
	}
	fmt.Fprintf(b, `<text x="%d" y="16" text-anchor="end">`, plotRight)
	for _, s := range p.series {
		fmt.Fprintf(b, `<tspan fill="%s" dx="10">%s</tspan>`, s.color, escaped(s.name))
	}
	b.WriteString("</text>\n")
}

func (s series) draw(b *bytes.Buffer, x, y scale) {
	fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="`, s.color)
	for i, p := range s.points {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(b, "%.1f,%.1f", x.at(p.x), y.at(p.y))
	}
	b.WriteString(`"/>` + "\n")
	if !s.marks {
		return
	}
	for _, p := range s.points {
		if p.low < p.high {
			fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x.at(p.x), x.at(p.x), y.at(p.low), y.at(p.high), s.color)
		}
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>`+"\n", x.at(p.x), y.at(p.y), s.color)
	}
}

func (o band) draw(b *bytes.Buffer, x scale) {
	from, to := x.at(o.from), x.at(o.to)
	if o.shaded {
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="#f6e3dc"/>`+"\n", from, plotTop, to-from, plotBottom-plotTop)
	}
	if o.name != "" {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" fill="#777" font-size="9">%s</text>`+"\n", from+2, plotTop+9, escaped(o.name))
	}
}

// xs are all values that the x axis has to hold.
func (p panel) xs() (all []float64) {
	for _, s := range p.series {
		for _, point := range s.points {
			all = append(all, point.x)
		}
	}
	for _, one := range p.bands {
		all = append(all, one.from, one.to)
	}
	return all
}

// ys are all values that the y axis has to hold. A bar that is left out has none.
func (p panel) ys() (all []float64) {
	for _, s := range p.series {
		for _, point := range s.points {
			all = append(all, point.y)
			if s.marks && point.low < point.high {
				all = append(all, point.low, point.high)
			}
		}
	}
	return all
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer takes everything
	return b.String()
}
