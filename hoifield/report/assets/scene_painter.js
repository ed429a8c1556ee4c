"use strict";
// Scenes of hand and object, drawn by one WebGL context however many canvases show them: each picture is copied to its canvas.
// Matrices are column arrays. Scenes are in OpenCV axes; half a turn about x (FLIP) gives y up.
const IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
const FLIP = [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1];
const SKIN = { right: [0.9, 0.7, 0.57], left: [0.78, 0.65, 0.84] };

const multiply = (a, b) => {
  const c = new Float32Array(16);
  for (let column = 0; column < 4; column += 1) {
    for (let row = 0; row < 4; row += 1) {
      for (let k = 0; k < 4; k += 1) c[4 * column + row] += a[4 * k + row] * b[4 * column + k];
    }
  }
  return c;
};
const moved = (points, T) => {
  const result = new Float32Array(points.length);
  for (let k = 0; k < points.length; k += 3) {
    for (let row = 0; row < 3; row += 1) result[k + row] = T[row] * points[k] + T[4 + row] * points[k + 1] + T[8 + row] * points[k + 2] + T[12 + row];
  }
  return result;
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

// A scene as `encode_viewer_scene` writes it, decoded: object points and, by frame, hands; bounds of the object and, with FLIP, of the scene.
const decodeScene = (scene) => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const frames = scene.time_s.length;
  const object = {
    points: new Float32Array(bytes(scene.object.positions).buffer),
    faces: new Uint32Array(bytes(scene.object.faces).buffer),
    colours: bytes(scene.object.colours),
  };
  const hands = scene.hands.map((hand) => {
    const steps = new Uint16Array(bytes(hand.frames).buffer);
    const count = 3 * hand.vertices;
    const at = (frame) => {
      const points = new Float32Array(count);
      for (let k = 0; k < count; k += 1) points[k] = hand.lower[k % 3] + hand.step[k % 3] * steps[frame * count + k];
      return points;
    };
    const colours = new Uint8Array(count).map((_, k) => Math.round(255 * SKIN[hand.side][k % 3]));
    return { side: hand.side, confidence: hand.confidence, at, faces: new Uint32Array(bytes(hand.faces).buffer), colours };
  });
  const clouds = [];
  for (let frame = 0; frame < frames; frame += Math.max(1, Math.floor(frames / 8))) {
    if (scene.T_camera_object[frame]) clouds.push(moved(object.points, scene.T_camera_object[frame]));
    for (const hand of hands) if (hand.confidence[frame] > 0) clouds.push(hand.at(frame));
  }
  const whole = boundsOf(clouds);
  const sceneBounds = { centre: [whole.centre[0], -whole.centre[1], -whole.centre[2]], radius: whole.radius };
  return { ...scene, frames, object, hands, isPlaced: clouds.length > 0, sceneBounds, objectBounds: boundsOf([object.points]) };
};
// What is told of a frame: in words, and what is missing.
const describeFrame = (scene, frame) => {
  const words = [`frame ${scene.frame_index[frame]}`, `${scene.time_s[frame].toFixed(2)} s`], missing = [];
  const tell = (name, value) => { if (value > 0) words.push(`${name} confidence ${value.toFixed(2)}`); else missing.push(`no ${name} pose`); };
  tell("object", scene.object_confidence[frame]);
  for (const hand of scene.hands) tell(`${hand.side} hand`, hand.confidence[frame]);
  return { words: words.join("  ·  "), missing: missing.join(", ") };
};

// Lambert with two lamps fixed to the eye; `clay` leaves colours out so that only shape shows.
const VERTEX_SHADER = `#version 300 es
  in vec3 position; in vec3 normal; in vec3 colour; uniform mat4 model, view, lens; out vec3 n; out vec3 c; out vec3 p;
  void main() { vec4 eye = view * model * vec4(position, 1.0); p = eye.xyz; n = mat3(view) * mat3(model) * normal; c = colour; gl_Position = lens * eye; }`;
const FRAGMENT_SHADER = `#version 300 es
  precision highp float; in vec3 n; in vec3 c; in vec3 p; uniform float clay; out vec4 result;
  void main() { vec3 m = normalize(n); if (dot(m, p) > 0.0) m = -m;
    float light = 0.40 + 0.52 * max(dot(m, normalize(vec3(-0.4, 0.7, 0.75))), 0.0) + 0.18 * max(m.z, 0.0);
    result = vec4(mix(c, vec3(0.76, 0.75, 0.72), clay) * light, 1.0); }`;

// null where the browser has no WebGL; else `load` a decoded scene and `paint` it.
const newPainter = () => {
  const surface = document.createElement("canvas");
  const gl = surface.getContext("webgl2", { antialias: true, alpha: true, premultipliedAlpha: false });
  if (!gl) return null;
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX_SHADER], [gl.FRAGMENT_SHADER, FRAGMENT_SHADER]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  const place = Object.fromEntries(["model", "view", "lens", "clay"].map((name) => [name, gl.getUniformLocation(program, name)]));

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
  const load = (scene) => ({
    scene,
    object: newShape(scene.object.points, scene.object.faces, scene.object.colours),
    hands: scene.hands.map((hand) => newShape(hand.at(0), hand.faces, hand.colours)),
    frame: 0,
  });
  // The object under `model` (null: not drawn) and, where `hands` is true, the hands of the frame, seen from `view`: turn, raise (radians), zoom.
  const paint = (canvas, loaded, { bounds, view, frame, model, hands, clay }) => {
    const scale = Math.min(2, window.devicePixelRatio || 1);
    const width = Math.max(1, Math.round(canvas.clientWidth * scale)), height = Math.max(1, Math.round(canvas.clientHeight * scale));
    for (const one of [canvas, surface]) if (one.width !== width || one.height !== height) { one.width = width; one.height = height; }
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    const near = bounds.radius * 0.02, far = bounds.radius * 40, aspect = width / height;
    const focal = 2.6 * Math.min(1, aspect), distance = (bounds.radius * 2.75) / view.zoom;
    gl.uniformMatrix4fv(place.lens, false, [focal / aspect, 0, 0, 0, 0, focal, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0, (2 * far * near) / (near - far), 0]);
    const ct = Math.cos(view.turn), st = Math.sin(view.turn), cr = Math.cos(view.raise), sr = Math.sin(view.raise), [x, y, z] = bounds.centre;
    const turn = [ct, sr * st, -cr * st, 0, 0, cr, sr, 0, st, -sr * ct, cr * ct, 0, 0, 0, 0, 1];
    const centred = multiply(turn, [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, -x, -y, -z, 1]);
    gl.uniformMatrix4fv(place.view, false, multiply([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, -distance, 1], centred));
    gl.uniform1f(place.clay, clay);
    if (model) draw(loaded.object, model);
    if (hands) {
      const shown = loaded.scene.hands.map((hand) => hand.confidence[frame] > 0);
      if (loaded.frame !== frame) loaded.scene.hands.forEach((hand, k) => { if (shown[k]) reshape(loaded.hands[k], hand.at(frame)); });
      loaded.frame = frame;
      loaded.hands.forEach((shape, k) => { if (shown[k]) draw(shape, FLIP); });
    }
    const copy = canvas.getContext("2d");
    copy.clearRect(0, 0, width, height);
    copy.drawImage(surface, 0, 0);
  };
  return { load, paint };
};

// Drag, pinch, wheel and keys of a canvas, as turns (pixels) and zooms (factors).
const watchCanvas = (canvas, orbit, zoomBy) => {
  const pointers = new Map();
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
};
const turnView = (view, dx, dy) => { view.turn += dx * 0.008; view.raise = Math.max(-1.57, Math.min(1.57, view.raise + dy * 0.008)); };
const zoomView = (view, factor) => { view.zoom = Math.max(0.3, Math.min(12, view.zoom * factor)); };
const byId = (id) => document.getElementById(id);
const press = (id, on) => byId(id).setAttribute("aria-pressed", String(on));
