package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"testing"
)

// elements parses SVG, and returns the attributes of all elements of a name.
func elements(t *testing.T, svg []byte, name string) (found []map[string]string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatalf("not well-formed: %v:\n%s", err, svg)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == name {
			attributes := make(map[string]string)
			for _, a := range start.Attr {
				attributes[a.Name.Local] = a.Value
			}
			found = append(found, attributes)
		}
	}
}

// TestChartDrawsPoints looks for points and bars where they belong, on a logarithmic axis that has a place for zero.
func TestChartDrawsPoints(t *testing.T) {
	c := chart{panels: []panel{{
		title: `"<&>"`, x: axis{log: true, ticks: []tick{{0, "0"}, {10, "10"}, {1000, "1 k"}}},
		series: []series{{name: "rate", color: "#000", marks: true, points: []point{{0, 0, 0, 0}, {10, 50, 25, 100}, {1000, 100, 100, 100}}}},
	}, {title: "another", series: []series{{name: "a", points: []point{{1, 2, 2, 2}}}, {name: "b"}}}}}
	svg := c.svg()
	circles := elements(t, svg, "circle")
	if len(circles) != 3 {
		t.Fatalf("got %d circles, want 3", len(circles))
	}
	// The axis goes over three decades: one for zero, two to 1,000.
	for i, want := range [][2]float64{{60, 196}, {260, 112}, {660, 28}} {
		if x, y := pixel(t, circles[i]["cx"]), pixel(t, circles[i]["cy"]); x != want[0] || y != want[1] {
			t.Errorf("point %d is at %g, %g, want %v", i, x, y, want)
		}
	}
	bars := 0
	for _, line := range elements(t, svg, "line") {
		if line["stroke"] == "#000" {
			bars++
			if line["x1"] != "260.0" || line["y1"] != "154.0" || line["y2"] != "28.0" {
				t.Errorf("got the bar %v", line)
			}
		}
	}
	if bars != 1 {
		t.Errorf("got %d bars, want one for the point that spread", bars)
	}
	if lines := elements(t, svg, "polyline"); len(lines) != 3 || lines[0]["points"] != "60.0,196.0 260.0,112.0 660.0,28.0" {
		t.Errorf("got lines %v", lines)
	}
	if roots := elements(t, svg, "svg"); roots[0]["viewBox"] != "0 0 720 460" {
		t.Errorf("got %v", roots[0])
	}
}

func pixel(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestChartDrawsBands has a band shaded from where it begins to where it ends.
func TestChartDrawsBands(t *testing.T) {
	c := chart{panels: []panel{{bands: []band{{0, 5, "all up", false}, {5, 10, "paused", true}}, series: []series{{points: []point{{2, 1, 1, 1}}}}}}}
	rects := elements(t, c.svg(), "rect")
	if len(rects) != 2 || rects[1]["x"] != "360.0" || rects[1]["width"] != "300.0" {
		t.Errorf("got %v, want the ground and a band over the second half", rects)
	}
}

func TestAxes(t *testing.T) {
	for _, c := range []struct {
		axis   axis
		values []float64
		want   string
	}{
		{axis{}, []float64{3, 870}, "0 500 1,000"},
		{axis{}, []float64{0.3}, "0 0.1 0.2 0.3"},
		{axis{}, nil, "0 0.5 1"},
		{axis{unit: "s"}, []float64{40}, "0 10 20 30 40 s"},
		{axis{log: true}, []float64{2, 870}, "1 10 100 1,000"},
		{axis{log: true}, []float64{0.04, 0.2}, "0.01 0.1 1"},
		{axis{log: true}, []float64{10}, "10 100"},
		{axis{log: true}, nil, "1 10"},
	} {
		got := ""
		for i, t := range c.axis.placed(c.values, 0, 1).ticks {
			if i > 0 {
				got += " "
			}
			got += t.label
		}
		if got != c.want {
			t.Errorf("%v of %v: got %s, want %s", c.axis, c.values, got, c.want)
		}
	}
}

// TestScaleKeepsOrder: whatever the axis, more is not before less, and all of it lies between the ends.
func TestScaleKeepsOrder(t *testing.T) {
	values := []float64{0, 0.5, 1, 3, 10, 64, 1e7}
	for _, a := range []axis{{}, {log: true}} {
		s := a.placed(values, plotBottom, plotTop)
		before := math.Inf(1)
		for _, v := range values {
			at := s.at(v)
			if at > before || at > plotBottom || at < plotTop {
				t.Errorf("%s: %g is at %g, what is less at %g", fmt.Sprint(a), v, at, before)
			}
			before = at
		}
	}
}
