// The comparison: scenes of several runs with one camera and one slider for all; the overlays follow the slider.
(() => {
  const { steps, runs } = JSON.parse(byId("runs").textContent);
  const painter = newPainter();
  byId("no-webgl").hidden = Boolean(painter);
  const panels = runs.map(({ number, scene }) => {
    const card = document.querySelector(`[data-run="${number}"]`), decoded = decodeScene(scene);
    const canvas = card.querySelector("canvas");
    canvas.hidden = !painter;
    return { canvas, scene: decoded, loaded: painter && painter.load(decoded), pictures: card.querySelectorAll(".frames img"), line: card.querySelector(".frame-line") };
  });
  const start = { turn: 0, raise: 0, zoom: 1.35 };
  const state = { mode: "scene", clay: 0, step: 0, playing: false, view: { ...start } };
  // One scale for all, so that sizes can be compared; each is centred on itself.
  const largest = { scene: Math.max(...panels.map(({ scene }) => scene.sceneBounds.radius)), object: Math.max(...panels.map(({ scene }) => scene.objectBounds.radius)) };

  // The object as the camera sees it: its own axes differ from run to run. Without a pose there, the nearest one shows its shape.
  const nearestPose = (scene, frame) => {
    for (let away = 0; away < scene.frames; away += 1) {
      const T = scene.T_camera_object[frame - away] || scene.T_camera_object[frame + away];
      if (T) return T;
    }
    return IDENTITY;
  };
  const paintPanel = ({ canvas, scene, loaded }) => {
    const alone = state.mode === "object", T = alone ? nearestPose(scene, state.step) : scene.T_camera_object[state.step];
    const model = T && multiply(FLIP, T);
    const centre = alone ? [...moved(scene.objectBounds.centre, model)] : scene.sceneBounds.centre;
    const bounds = { centre, radius: largest[state.mode] * (alone ? 1.35 : 1) };
    painter.paint(canvas, loaded, { bounds, view: state.view, frame: state.step, model, hands: !alone, clay: state.clay });
  };
  let isDue = false;
  const paint = () => {
    if (!painter || isDue) return;
    isDue = true;
    requestAnimationFrame(() => { isDue = false; panels.forEach(paintPanel); });
  };
  const slider = byId("step");
  const show = (step) => {
    state.step = step;
    slider.value = String(step);
    for (const { scene, pictures, line } of panels) {
      pictures.forEach((picture, k) => { picture.hidden = k !== step; });
      const { words, missing } = describeFrame(scene, step);
      line.textContent = missing ? `${words}  ·  ${missing}` : words;
    }
    paint();
  };
  const setMode = (mode) => { state.mode = mode; press("mode-scene", mode === "scene"); press("mode-object", mode === "object"); paint(); };
  byId("mode-scene").addEventListener("click", () => setMode("scene"));
  byId("mode-object").addEventListener("click", () => setMode("object"));
  byId("clay").addEventListener("click", () => { state.clay = 1 - state.clay; press("clay", state.clay === 1); paint(); });
  byId("reset").addEventListener("click", () => { Object.assign(state.view, start); paint(); });
  slider.addEventListener("input", () => show(Number(slider.value)));
  const play = byId("play");
  let timer = 0;
  play.addEventListener("click", () => {
    state.playing = !state.playing;
    play.textContent = state.playing ? "Pause" : "Play";
    clearInterval(timer);
    if (state.playing) timer = setInterval(() => show((state.step + 1) % steps), 150);
  });
  for (const { canvas } of panels) {
    watchCanvas(
      canvas,
      (dx, dy) => { turnView(state.view, dx, dy); paint(); },
      (factor) => { zoomView(state.view, factor); paint(); },
    );
    new ResizeObserver(paint).observe(canvas);
  }
  // Where most is seen: frames at the ends of a clip often have no pose.
  const placed = Array.from({ length: steps }, (_, step) => panels.filter(({ scene }) => scene.object_confidence[step] > 0).length);
  show(placed.indexOf(Math.max(...placed)));
})();
