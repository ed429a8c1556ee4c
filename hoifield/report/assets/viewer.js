// The report: one scene, its frames on a slider and on the timeline.
(() => {
  const canvas = byId("stage"), painter = newPainter();
  if (!painter) { byId("no-webgl").hidden = false; canvas.hidden = true; return; }
  const scene = decodeScene(JSON.parse(byId("scene").textContent));
  const loaded = painter.load(scene), frames = scene.frames;
  const starts = { scene: { turn: 0, raise: 0, zoom: 1 }, object: { turn: 0.6, raise: 0.45, zoom: 1 } };
  const views = { scene: { ...starts.scene }, object: { ...starts.object } };
  const state = { mode: scene.isPlaced ? "scene" : "object", clay: 0, frame: 0, playing: false };

  const paint = () => {
    const alone = state.mode === "object", T = scene.T_camera_object[state.frame];
    const bounds = alone ? scene.objectBounds : scene.sceneBounds, model = alone ? IDENTITY : T && multiply(FLIP, T);
    painter.paint(canvas, loaded, { bounds, view: views[state.mode], frame: state.frame, model, hands: !alone, clay: state.clay });
  };
  const slider = byId("frame"), cursor = byId("cursor"), timeline = byId("timeline");
  const show = (frame) => {
    state.frame = Math.max(0, Math.min(frames - 1, frame));
    slider.value = String(state.frame);
    const { words, missing } = describeFrame(scene, state.frame);
    byId("frame-line").textContent = words;
    byId("frame-missing").textContent = missing;
    const at = String(((state.frame + 0.5) / frames) * 1000);
    cursor.setAttribute("x1", at);
    cursor.setAttribute("x2", at);
    paint();
  };
  const setMode = (mode) => { state.mode = mode; press("mode-scene", mode === "scene"); press("mode-object", mode === "object"); paint(); };
  byId("mode-scene").addEventListener("click", () => setMode("scene"));
  byId("mode-object").addEventListener("click", () => setMode("object"));
  byId("clay").addEventListener("click", () => { state.clay = 1 - state.clay; press("clay", state.clay === 1); paint(); });
  byId("reset").addEventListener("click", () => { for (const mode of ["scene", "object"]) Object.assign(views[mode], starts[mode]); paint(); });
  slider.addEventListener("input", () => { setMode("scene"); show(Number(slider.value)); });
  timeline.addEventListener("click", (event) => {
    const box = timeline.getBoundingClientRect();
    setMode("scene");
    show(Math.floor(((event.clientX - box.left) / box.width) * frames));
  });

  let started = 0;
  const step = (now) => {
    if (!state.playing) return;
    const time = scene.time_s[0] + ((now - started) / 1000) % (scene.time_s[frames - 1] - scene.time_s[0] + 0.5);
    let frame = 0;
    while (frame + 1 < frames && scene.time_s[frame + 1] <= time) frame += 1;
    if (frame !== state.frame) show(frame);
    requestAnimationFrame(step);
  };
  const play = byId("play");
  play.addEventListener("click", () => {
    state.playing = !state.playing;
    play.textContent = state.playing ? "Pause" : "Play";
    if (state.playing) {
      setMode("scene");
      started = performance.now() - 1000 * (scene.time_s[state.frame] - scene.time_s[0]);
      requestAnimationFrame(step);
    }
  });
  watchCanvas(
    canvas,
    (dx, dy) => { turnView(views[state.mode], dx, dy); paint(); },
    (factor) => { zoomView(views[state.mode], factor); paint(); },
  );
  new ResizeObserver(paint).observe(canvas);
  setMode(state.mode);
  show(Math.max(0, scene.object_confidence.findIndex((value) => value > 0)));
})();
