// What Supabase is to its edge functions, for tests: users who sign up, a gateway that checks their
// tokens unless config.toml says otherwise, and every function served as it serves itself.

const [folder = "supabase", port = "8000"] = Deno.args;
const settings = await Deno.readTextFile(`${folder}/config.toml`);
Deno.env.set("SUPABASE_URL", `http://127.0.0.1:${port}`);
Deno.env.set("SUPABASE_ANON_KEY", "public-key");
const users = new Map<string, string>();
const functions = new Map<string, (request: Request) => Promise<Response>>();

const serve = Deno.serve;
for await (const { name } of Deno.readDir(`${folder}/functions`)) {
  if (name === "tests" || name.startsWith("_")) continue;
  Object.assign(Deno, {
    serve: (handler: (request: Request) => Promise<Response>) => functions.set(name, handler),
  });
  await import(`file://${folder}/functions/${name}/index.ts`);
}

serve({ hostname: "127.0.0.1", port: Number(port) }, async (request) => {
  const url = new URL(request.url);
  const [, service, , name = ""] = url.pathname.split("/");
  const token = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
  if (service === "auth" && name === "signup") {
    const access_token = crypto.randomUUID();
    users.set(access_token, (await request.json()).email);
    return Response.json({ access_token });
  }
  if (service === "auth") {
    const id = users.get(token);
    return id ? Response.json({ id }) : Response.json({ code: "bad_jwt" }, { status: 403 });
  }
  const open = settings.includes(`[functions.${name}]\nverify_jwt = false`);
  if (!open && request.method !== "OPTIONS" && !users.has(token) && token !== "public-key") {
    return new Response(null, { status: 401 });
  }
  const handler = functions.get(name);
  url.pathname = url.pathname.replace("/functions/v1", "");
  return handler ? await handler(new Request(url, request)) : new Response(null, { status: 404 });
});
