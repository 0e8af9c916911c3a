// Package picture draws what the benchmarks measured, as SVG. There is no background, and
// every colour stands out from white and from black, so a picture reads in light and in dark.
package picture

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

var (
	text   = color.RGBA{0x7d, 0x85, 0x90, 0xff}
	grid   = color.RGBA{0x7d, 0x85, 0x90, 0x40}
	ours   = color.RGBA{0x2f, 0x81, 0xf7, 0xff}
	others = []color.Color{
		color.RGBA{0xd2, 0x7a, 0x1c, 0xff},
		color.RGBA{0x2d, 0x9d, 0x4f, 0xff},
		color.RGBA{0xa3, 0x71, 0xf7, 0xff},
	}
)

// Bar is one of a row of measurements. The ones that are ours stand out.
type Bar struct {
	Name  string
	Value float64
	Ours  bool
}

// Bars draws one bar below the other, on a log scale, and writes each value behind its bar.
func Bars(file, title, axis string, bars []Bar) error {
	p := newPlot(title)
	p.X.Label.Text = axis
	names := make([]string, len(bars))
	least, most := math.Inf(1), 0.0
	labels := plotter.XYLabels{XYs: make(plotter.XYs, len(bars)), Labels: make([]string, len(bars))}
	for i, b := range bars {
		row := len(bars) - 1 - i // the first is on top
		// Where the font is not there, another that is up to a sixth wider takes its place; the
		// spaces leave it the room.
		names[row] = b.Name + strings.Repeat(" ", len(b.Name)/4)
		least, most = min(least, b.Value), max(most, b.Value)
		labels.XYs[i] = plotter.XY{X: b.Value, Y: float64(row)}
		labels.Labels[i] = "  " + number(b.Value)
	}
	p.Add(rows(bars))
	values, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	for i := range values.TextStyle {
		values.TextStyle[i].Color = text
		values.TextStyle[i].YAlign = -0.4
	}
	p.Add(values)
	p.NominalY(names...)
	p.Y.LineStyle.Width, p.Y.Tick.Length = 0, 0
	logScale(&p.X)
	p.X.Min, p.X.Max = math.Pow(10, math.Floor(math.Log10(least))), 8*most
	p.Y.Min, p.Y.Max = -0.6, float64(len(bars))-0.4
	return save(p, file, 9*vg.Inch, vg.Length(len(bars))*0.27*vg.Inch+vg.Inch)
}

// rows are the bars themselves; the library's own begin at zero, which a log scale lacks.
type rows []Bar

func (r rows) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	const thick = 0.36 // half of it, of a row
	for i, b := range r {
		row := float64(len(r) - 1 - i)
		paint := others[0]
		if b.Ours {
			paint = ours
		}
		left, right := x(p.X.Min), x(b.Value)
		c.FillPolygon(paint, []vg.Point{{X: left, Y: y(row - thick)}, {X: right, Y: y(row - thick)}, {X: right, Y: y(row + thick)}, {X: left, Y: y(row + thick)}})
	}
}

// Series is a line. The first is ours.
type Series struct {
	Name   string
	Points []Point
}

// Point is a measurement with so many keys.
type Point struct{ Keys, Value float64 }

// Lines draws values against numbers of keys; both axes are log scales.
func Lines(file, title, axis string, series []Series) error {
	p := newPlot(title)
	p.X.Label.Text, p.Y.Label.Text = "keys", axis
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.TextStyle.Color = text
	p.Legend.Padding = vg.Points(3)
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = grid, grid
	p.Add(g)
	for i, s := range series {
		points := make(plotter.XYs, len(s.Points))
		for j, q := range s.Points {
			points[j] = plotter.XY{X: q.Keys, Y: q.Value}
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		var paint color.Color = ours
		if i > 0 {
			paint = others[(i-1)%len(others)]
		}
		line.Color, line.Width = paint, vg.Points(1.8)
		dots.Color, dots.Shape, dots.Radius = paint, draw.CircleGlyph{}, vg.Points(3)
		p.Add(line, dots)
		p.Legend.Add(s.Name, line, dots)
	}
	logScale(&p.X)
	logScale(&p.Y)
	if p.X.Min == p.X.Max {
		p.X.Max = 10 * p.X.Min
	}
	p.Y.Min = math.Pow(10, math.Floor(math.Log10(p.Y.Min)))
	p.Y.Max = math.Pow(10, math.Ceil(math.Log10(p.Y.Max)))
	return save(p, file, 7*vg.Inch, 4*vg.Inch)
}

func newPlot(title string) *plot.Plot {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	plotter.DefaultFont = plot.DefaultFont
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.Text = title
	p.Title.Padding = vg.Points(8)
	p.Title.TextStyle.Color = text
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color, a.Tick.Color = text, text
		a.Label.TextStyle.Color, a.Tick.Label.Color = text, text
		a.Tick.Label.Font.Size = vg.Points(10)
	}
	return p
}

func logScale(a *plot.Axis) {
	a.Scale = plot.LogScale{}
	a.Tick.Marker = powers{}
}

// powers marks the powers of ten, and the numbers between them without a text.
type powers struct{}

func (powers) Ticks(low, high float64) (ticks []plot.Tick) {
	for power := math.Pow(10, math.Floor(math.Log10(low))); power <= high; power *= 10 {
		for i := 1.0; i < 10; i++ {
			t := plot.Tick{Value: i * power}
			if i == 1 {
				t.Label = number(power)
			}
			if t.Value >= low && t.Value <= high {
				ticks = append(ticks, t)
			}
		}
	}
	return ticks
}

// number writes three digits or more, in groups of three.
func number(x float64) string {
	if x < 100 {
		return strconv.FormatFloat(x, 'g', 3, 64)
	}
	s := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func save(p *plot.Plot, file string, width, height vg.Length) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	canvas := vgsvg.New(width, height)
	p.Draw(draw.New(canvas))
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	// Arial and Helvetica are as wide as Liberation Sans, and more readers have them.
	text := bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:Arial,Helvetica,Liberation Sans"))
	return os.WriteFile(file, text, 0o644)
}
