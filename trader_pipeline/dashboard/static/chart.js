"use strict";
// Candles, volume and the forecast fan of one ticker. The numbers come with the page; nothing is fetched.
(() => {
  const element = document.getElementById("chart");
  const { candles, fan } = JSON.parse(document.getElementById("chart-data").textContent);
  const legend = document.getElementById("legend");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const { createChart, CandlestickSeries, HistogramSeries, LineSeries, CrosshairMode } = LightweightCharts;

  // A filled band between two values: what lightweight-charts leaves to a custom series.
  class Band {
    renderer() {
      return { draw: (target, toY) => this.draw(target, toY) };
    }
    update(data, options) {
      this.data = data;
      this.options = options;
    }
    priceValueBuilder(row) {
      return [row.low, row.high, (row.low + row.high) / 2];
    }
    isWhitespace(row) {
      return row.low === undefined;
    }
    defaultOptions() {
      return { fill: "transparent", color: "transparent", lastValueVisible: false, priceLineVisible: false };
    }
    draw(target, toY) {
      const bars = this.data?.bars ?? [];
      if (!bars.length) return;
      target.useBitmapCoordinateSpace(({ context, horizontalPixelRatio: h, verticalPixelRatio: v }) => {
        context.beginPath();
        bars.forEach((bar) => context.lineTo(bar.x * h, toY(bar.originalData.high) * v));
        [...bars].reverse().forEach((bar) => context.lineTo(bar.x * h, toY(bar.originalData.low) * v));
        context.closePath();
        context.fillStyle = this.options.fill;
        context.fill();
      });
    }
  }

  const chart = createChart(element, {
    autoSize: true,
    layout: { attributionLogo: false, fontSize: 11 },
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.06, bottom: 0.2 } },
    timeScale: { borderVisible: false, rightOffset: 2, minBarSpacing: 0.2 },
    crosshair: { mode: CrosshairMode.Normal },
    handleScroll: { mouseWheel: false },
    handleScale: { mouseWheel: false },
  });
  const volume = chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, priceLineVisible: false, lastValueVisible: false });
  chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.85, bottom: 0 } });
  const quiet = { priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false };
  const outer = chart.addCustomSeries(new Band(), quiet);
  const inner = chart.addCustomSeries(new Band(), quiet);
  const median = chart.addSeries(LineSeries, { ...quiet, lineWidth: 2 });
  const price = chart.addSeries(CandlestickSeries, { priceLineVisible: false });

  const band = (low, high) => fan.filter((p) => p[low] !== null && p[high] !== null).map((p) => ({ time: p.time, low: p[low], high: p[high] }));
  price.setData(candles.map(({ time, open, high, low, close }) => ({ time, open, high, low, close })));
  volume.setData(candles.filter((c) => c.volume !== null).map((c) => ({ time: c.time, value: c.volume })));
  outer.setData(band("q05", "q95"));
  inner.setData(band("q25", "q75"));
  median.setData(fan.filter((p) => p.q50 !== null).map((p) => ({ time: p.time, value: p.q50 })));

  function paint() {
    chart.applyOptions({
      layout: { background: { color: colour("surface") }, textColor: colour("muted"), fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { vertLines: { color: colour("grid") }, horzLines: { color: colour("grid") } },
      crosshair: { vertLine: { color: colour("faint"), labelBackgroundColor: colour("muted") }, horzLine: { color: colour("faint"), labelBackgroundColor: colour("muted") } },
    });
    const [up, down] = [colour("up"), colour("down")];
    // A hollow body rose, a filled one fell: red and green look alike to many.
    price.applyOptions({ upColor: colour("surface"), downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: true, borderUpColor: up, borderDownColor: down });
    volume.applyOptions({ color: colour("line-strong") });
    outer.applyOptions({ fill: colour("fan-outer") });
    inner.applyOptions({ fill: colour("fan-inner") });
    median.applyOptions({ color: colour("accent") });
  }

  // The last `sessions` candles and the whole fan. The fan may start before the newest candle.
  function show(sessions) {
    const known = candles.length;
    const last = candles.at(-1)?.time ?? "";
    const ahead = fan.filter((p) => p.time > last).length;
    chart.timeScale().setVisibleLogicalRange({ from: Math.max(0, known - sessions), to: known + ahead + 1 });
  }

  const shown = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const byTime = new Map(fan.map((p) => [p.time, p]));
  function say(time) {
    const candle = candles.find((c) => c.time === time) ?? (byTime.has(time) ? null : candles.at(-1));
    const point = byTime.get(time);
    const pairs = candle ? [["O", candle.open], ["H", candle.high], ["L", candle.low], ["C", candle.close]] : point ? [["5 %", point.q05], ["median", point.q50], ["95 %", point.q95]] : [];
    legend.replaceChildren(candle?.time ?? time ?? "", ...pairs.flatMap(([name, value]) => {
      const number = document.createElement("b");
      number.textContent = value === null ? "–" : shown.format(value);
      return [`  ${name} `, number];
    }));
  }

  const buttons = [...document.querySelectorAll("[data-sessions]")];
  buttons.forEach((button) => button.addEventListener("click", () => {
    buttons.forEach((b) => b.setAttribute("aria-pressed", String(b === button)));
    show(Number(button.dataset.sessions));
  }));
  chart.subscribeCrosshairMove(({ time }) => say(time));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  paint();
  show(126);
  say(undefined);
  requestAnimationFrame(() => requestAnimationFrame(() => { element.dataset.drawn = String(candles.length); }));
})();
