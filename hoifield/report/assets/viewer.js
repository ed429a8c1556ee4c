"use strict";
(() => {
  const source = document.getElementById("scene");
  const canvas = document.getElementById("stage");
  if (!source || !canvas) return;
  const scene = JSON.parse(source.textContent);
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: true, premultipliedAlpha: false });
  const byId = (id) => document.getElementById(id);
  if (!gl) { byId("no-webgl").hidden = false; canvas.hidden = true; return; }

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);
  const SKIN = { right: [0.9, 0.7, 0.57], left: [0.78, 0.65, 0.84] };

  // Shaders: Lambert with two lamps fixed to the eye; `clay` leaves colours out so that only shape shows.
  const VERTEX = `#version 300 es
    in vec3 position; in vec3 normal; in vec3 colour; uniform mat4 model, view, lens; out vec3 n; out vec3 c; out vec3 p;
    void main() { vec4 eye = view * model * vec4(position, 1.0); p = eye.xyz; n = mat3(view) * mat3(model) * normal; c = colour; gl_Position = lens * eye; }`;
  const FRAGMENT = `#version 300 es
    precision highp float; in vec3 n; in vec3 c; in vec3 p; uniform float clay; out vec4 result;
    void main() { vec3 m = normalize(n); if (dot(m, p) > 0.0) m = -m;
      float light = 0.40 + 0.52 * max(dot(m, normalize(vec3(-0.4, 0.7, 0.75))), 0.0) + 0.18 * max(m.z, 0.0);
      result = vec4(mix(c, vec3(0.76, 0.75, 0.72), clay) * light, 1.0); }`;
  const compile = (kind, text) => {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    return shader;
  };
  const program = gl.createProgram();
  gl.attachShader(program, compile(gl.VERTEX_SHADER, VERTEX));
  gl.attachShader(program, compile(gl.FRAGMENT_SHADER, FRAGMENT));
  gl.linkProgram(program);
  gl.useProgram(program);
  const place = Object.fromEntries(["model", "view", "lens", "clay"].map((name) => [name, gl.getUniformLocation(program, name)]));

  const normalsOf = (points, faces) => {
    const normals = new Float32Array(points.length);
    for (let k = 0; k < faces.length; k += 3) {
      const a = 3 * faces[k], b = 3 * faces[k + 1], c = 3 * faces[k + 2];
      const ux = points[b] - points[a], uy = points[b + 1] - points[a + 1], uz = points[b + 2] - points[a + 2];
      const vx = points[c] - points[a], vy = points[c + 1] - points[a + 1], vz = points[c + 2] - points[a + 2];
      const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
      for (const corner of [a, b, c]) { normals[corner] += x; normals[corner + 1] += y; normals[corner + 2] += z; }
    }
    for (let k = 0; k < normals.length; k += 3) {
      const length = Math.hypot(normals[k], normals[k + 1], normals[k + 2]) || 1;
      normals[k] /= length; normals[k + 1] /= length; normals[k + 2] /= length;
    }
    return normals;
  };

  const newShape = (points, faces, colours) => {
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    const buffers = {};
    for (const [name, values, kind] of [["position", points, gl.FLOAT], ["normal", normalsOf(points, faces), gl.FLOAT], ["colour", colours, gl.UNSIGNED_BYTE]]) {
      buffers[name] = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
      const slot = gl.getAttribLocation(program, name);
      gl.enableVertexAttribArray(slot);
      gl.vertexAttribPointer(slot, 3, kind, kind === gl.UNSIGNED_BYTE, 0, 0);
    }
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, faces, gl.STATIC_DRAW);
    gl.bindVertexArray(null);
    return { array, buffers, faces };
  };
  const reshape = (shape, points) => {
    for (const [name, values] of [["position", points], ["normal", normalsOf(points, shape.faces)]]) {
      gl.bindBuffer(gl.ARRAY_BUFFER, shape.buffers[name]);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, values);
    }
  };
  const draw = (shape, model) => {
    gl.uniformMatrix4fv(place.model, false, model);
    gl.bindVertexArray(shape.array);
    gl.drawElements(gl.TRIANGLES, shape.faces.length, gl.UNSIGNED_INT, 0);
  };

  const objectPoints = floats(scene.object.positions);
  const objectShape = newShape(objectPoints, new Uint32Array(bytes(scene.object.faces).buffer), bytes(scene.object.colours));
  const hands = scene.hands.map((hand) => {
    const faces = new Uint32Array(bytes(hand.faces).buffer);
    const steps = new Uint16Array(bytes(hand.frames).buffer);
    const count = 3 * hand.vertices;
    const colours = new Uint8Array(count).map((_, k) => Math.round(255 * SKIN[hand.side][k % 3]));
    const at = (frame) => {
      const points = new Float32Array(count);
      for (let k = 0; k < count; k += 1) points[k] = hand.lower[k % 3] + hand.step[k % 3] * steps[frame * count + k];
      return points;
    };
    return { side: hand.side, confidence: hand.confidence, at, shape: newShape(at(0), faces, colours) };
  });

  // Matrices are column arrays. The scene is in OpenCV axes; half a turn about x gives y up.
  const IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  const FLIP = [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1];
  const multiply = (a, b) => {
    const c = new Float32Array(16);
    for (let column = 0; column < 4; column += 1) {
      for (let row = 0; row < 4; row += 1) {
        for (let k = 0; k < 4; k += 1) c[4 * column + row] += a[4 * k + row] * b[4 * column + k];
      }
    }
    return c;
  };
  const boundsOf = (clouds) => {
    const lower = [Infinity, Infinity, Infinity], upper = [-Infinity, -Infinity, -Infinity];
    for (const points of clouds) {
      for (let k = 0; k < points.length; k += 1) { lower[k % 3] = Math.min(lower[k % 3], points[k]); upper[k % 3] = Math.max(upper[k % 3], points[k]); }
    }
    if (!Number.isFinite(lower[0])) return { centre: [0, 0, 0], radius: 0.1 };
    const centre = lower.map((value, k) => (value + upper[k]) / 2);
    return { centre, radius: Math.max(1e-4, Math.hypot(...lower.map((value, k) => upper[k] - value)) / 2) };
  };
  const moved = (points, T) => {
    const result = new Float32Array(points.length);
    for (let k = 0; k < points.length; k += 3) {
      for (let row = 0; row < 3; row += 1) result[k + row] = T[row] * points[k] + T[4 + row] * points[k + 1] + T[8 + row] * points[k + 2] + T[12 + row];
    }
    return result;
  };
  const frames = scene.time_s.length;
  const sceneClouds = [];
  for (let frame = 0; frame < frames; frame += Math.max(1, Math.floor(frames / 8))) {
    if (scene.T_camera_object[frame]) sceneClouds.push(moved(objectPoints, scene.T_camera_object[frame]));
    for (const hand of hands) if (hand.confidence[frame] > 0) sceneClouds.push(hand.at(frame));
  }
  const flipped = (bounds) => ({ centre: [bounds.centre[0], -bounds.centre[1], -bounds.centre[2]], radius: bounds.radius });
  const views = {
    scene: { bounds: flipped(boundsOf(sceneClouds)), turn: 0, raise: 0, zoom: 1 },
    object: { bounds: boundsOf([objectPoints]), turn: 0.6, raise: 0.45, zoom: 1 },
  };
  const state = { mode: sceneClouds.length ? "scene" : "object", clay: 0, frame: 0, playing: false };

  const paint = () => {
    const scale = Math.min(2, window.devicePixelRatio || 1);
    const width = Math.max(1, Math.round(canvas.clientWidth * scale)), height = Math.max(1, Math.round(canvas.clientHeight * scale));
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    const view = views[state.mode], near = view.bounds.radius * 0.02, far = view.bounds.radius * 40, aspect = width / height;
    const focal = 2.6 * Math.min(1, aspect), distance = (view.bounds.radius * 2.75) / view.zoom;
    gl.uniformMatrix4fv(place.lens, false, [focal / aspect, 0, 0, 0, 0, focal, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0, (2 * far * near) / (near - far), 0]);
    const ct = Math.cos(view.turn), st = Math.sin(view.turn), cr = Math.cos(view.raise), sr = Math.sin(view.raise), [x, y, z] = view.bounds.centre;
    const turn = [ct, sr * st, -cr * st, 0, 0, cr, sr, 0, st, -sr * ct, cr * ct, 0, 0, 0, 0, 1];
    const centred = multiply(turn, [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, -x, -y, -z, 1]);
    gl.uniformMatrix4fv(place.view, false, multiply([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, -distance, 1], centred));
    gl.uniform1f(place.clay, state.clay);
    if (state.mode === "object") { draw(objectShape, IDENTITY); return; }
    const T = scene.T_camera_object[state.frame];
    if (T) draw(objectShape, multiply(FLIP, T));
    for (const hand of hands) if (hand.confidence[state.frame] > 0) draw(hand.shape, FLIP);
  };

  const slider = byId("frame"), cursor = byId("cursor"), line = byId("frame-line"), missing = byId("frame-missing"), timeline = byId("timeline");
  const show = (frame) => {
    state.frame = Math.max(0, Math.min(frames - 1, frame));
    for (const hand of hands) if (hand.confidence[state.frame] > 0) reshape(hand.shape, hand.at(state.frame));
    slider.value = String(state.frame);
    const words = [`frame ${scene.frame_index[state.frame]}`, `${scene.time_s[state.frame].toFixed(2)} s`];
    const gone = [];
    const tell = (name, value) => { if (value > 0) words.push(`${name} confidence ${value.toFixed(2)}`); else gone.push(`no ${name} pose`); };
    tell("object", scene.object_confidence[state.frame]);
    for (const hand of hands) tell(`${hand.side} hand`, hand.confidence[state.frame]);
    line.textContent = words.join("  ·  ");
    missing.textContent = gone.join(", ");
    if (cursor) { const at = String(((state.frame + 0.5) / frames) * 1000); cursor.setAttribute("x1", at); cursor.setAttribute("x2", at); }
    paint();
  };
  const press = (name, on) => byId(name).setAttribute("aria-pressed", String(on));
  const setMode = (mode) => { state.mode = mode; press("mode-scene", mode === "scene"); press("mode-object", mode === "object"); paint(); };
  byId("mode-scene").addEventListener("click", () => setMode("scene"));
  byId("mode-object").addEventListener("click", () => setMode("object"));
  byId("clay").addEventListener("click", () => { state.clay = 1 - state.clay; press("clay", state.clay === 1); paint(); });
  byId("reset").addEventListener("click", () => {
    Object.assign(views.scene, { turn: 0, raise: 0, zoom: 1 });
    Object.assign(views.object, { turn: 0.6, raise: 0.45, zoom: 1 });
    paint();
  });
  slider.addEventListener("input", () => { setMode("scene"); show(Number(slider.value)); });
  if (timeline) {
    timeline.addEventListener("click", (event) => {
      const box = timeline.getBoundingClientRect();
      setMode("scene");
      show(Math.floor(((event.clientX - box.left) / box.width) * frames));
    });
  }

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

  const pointers = new Map();
  const orbit = (dx, dy) => {
    const view = views[state.mode];
    view.turn += dx * 0.008;
    view.raise = Math.max(-1.57, Math.min(1.57, view.raise + dy * 0.008));
    paint();
  };
  const zoomBy = (factor) => { const view = views[state.mode]; view.zoom = Math.max(0.3, Math.min(12, view.zoom * factor)); paint(); };
  const spread = () => { const [a, b] = [...pointers.values()]; return Math.hypot(a.x - b.x, a.y - b.y) || 1; };
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); pointers.set(event.pointerId, { x: event.clientX, y: event.clientY }); });
  canvas.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const before = pointers.size === 2 ? spread() : 0;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.size === 1) orbit(event.clientX - last.x, event.clientY - last.y);
    else if (pointers.size === 2) zoomBy(spread() / before);
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoomBy(Math.exp(-event.deltaY * 0.0012)); }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-20, 0], ArrowRight: [20, 0], ArrowUp: [0, -20], ArrowDown: [0, 20] };
    if (moves[event.key]) { event.preventDefault(); orbit(...moves[event.key]); }
    if (event.key === "+" || event.key === "=") zoomBy(1.15);
    if (event.key === "-") zoomBy(1 / 1.15);
  });
  new ResizeObserver(paint).observe(canvas);
  setMode(state.mode);
  const first = scene.object_confidence.findIndex((value) => value > 0);
  show(Math.max(0, first));
})();
