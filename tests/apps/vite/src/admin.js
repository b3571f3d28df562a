import { createApp, h } from "vue";
import { sum } from "./stock.js";
import "./shop.css";

// Loaded only when somebody asks for the pictures.
const pictures = () => import("./Lamps.vue").then(({ default: Lamps }) => createApp(Lamps).mount("#lamps"));
createApp({ render: () => h("button", { onClick: pictures }, `${sum()} lamps in stock`) }).mount("#admin");
