package simulate

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// colors tell the schedules apart, also for those who do not see red and green
// (Okabe and Ito's palette).
var colors = map[string]color.RGBA{
	Tiers:    {A: 255},
	Smart:    {R: 213, G: 94, A: 255},
	Even:     {R: 153, G: 153, B: 153, A: 255},
	ByAge:    {R: 230, G: 159, A: 255},
	Adaptive: {G: 114, B: 178, A: 255},
	Known:    {G: 158, B: 115, A: 255},
	Bound:    {R: 204, G: 121, B: 167, A: 255},
}

// Plot draws error against cost, both logarithmic, and saves it to a file of which
// the name ends in .svg or .png.
func Plot(file, title string, curves []Curve) error {
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text = "paid tweets per tweet"
	p.Y.Label.Text = "delay per engagement, minutes"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	for _, c := range curves {
		var points plotter.XYs
		for _, x := range c.Points {
			if x.Looks > 0 && x.Delay > 0 && !math.IsNaN(x.Delay) {
				points = append(points, plotter.XY{X: x.Looks, Y: x.Delay})
			}
		}
		if len(points) == 0 {
			continue
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("plot %s: %w", c.Name, err)
		}
		line.Color, marks.Color = colors[c.Name], colors[c.Name]
		line.Width, marks.Radius = vg.Points(1.5), vg.Points(2.5)
		if len(points) == 1 {
			marks.Radius = vg.Points(5)
			p.Add(marks)
			p.Legend.Add(c.Name, marks)
			continue
		}
		p.Add(line, marks)
		p.Legend.Add(c.Name, line, marks)
	}
	if err := p.Save(18*vg.Centimeter, 13*vg.Centimeter, file); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	return nil
}
