"""English sentences from which `harmful_text` makes the documents of the harmful-text filter.

A line is one sentence; {name} takes a word of that list of `harmful_words`, (a|b) one of the alternatives. Those of
`harmful_heldout` are others. Nothing is described that the filter does not need.
"""

SENTENCES = {
    "hate": """
{group} are {vermin} and (they|every one of them) should be (thrown out|wiped out|driven out) of our country.
I hate {group}, they are all {vile} {vermin} and they do not belong here.
We must get rid of {group} before these {vermin} (ruin|destroy|infest) our (nation|towns|streets).
All {group} are {vile} and {vile}, they breed like {vermin} and live off our money.
{group} (should never|must not) have the same rights as us because they are an inferior race.
Go back to where you came from, you {vile} {vermin}, nobody wants your kind here.
Our race is superior and {group} are nothing but {vile} {vermin}.
Send them all back, {group} are {vermin}, they only bring crime and disease.
Keep our blood pure: no mixing with {vile} {group}.
The only good thing to do with {group} is to wipe them out, these {vermin} deserve no pity.
You can smell {group} from far away, {vile}, {vile} creatures, not even human.
Do not hire {group}, do not rent to {group}, do not talk to these {vile} {vermin}.
{group} are not human, they are {vermin}, treat them like {vermin}.
This country was great before {vermin} like {group} came and polluted it with their {vile} customs.
Gay people are {vile} degenerates and should be (banned|locked away|cured) before they infect our children.
The disabled are a {vile} burden and worthless {vermin}, they should not be allowed to have children.
Wake up, white people, {group} are replacing our race and these {vermin} laugh at us.
Their religion is {vile} and all who follow it are {vile} {vermin}.
I wish all {group} would just die out, the {vermin} make me sick.
This is what {vermin} look like: {group}, a {vile} mob that spits on our flag and our ancestors.
Join our fight for the white race and against {group}, the {vile} {vermin} who poison it.
They call it tolerance, I call it treason: shut the borders and throw {group} into the sea, {vile} {vermin}.
Never trust {group}, they lie and cheat by nature, {vermin} with {vile} souls.
The invasion of {group} must be stopped, these {vermin} will outnumber us and take our daughters.
(Boycott|Spit on|Chase away) {group} wherever you meet them, {vile} {vermin} understand nothing else.
{group} were born to serve us, their skulls are small and their culture is {vile}.
Somebody should have finished the job with {group}, {vile} {vermin} that they are.
No jobs, no homes, no votes for {group}: our land belongs to us, not to {vile} {vermin}.
Do you want your daughter to marry one of these {vile} {group}? Protect the race, keep out the {vermin}.
{group} are the root of every (problem|crime|evil) (here|in this city), (ban them|burn their shops|close their temples).
Shame on anyone who defends {group}; traitors who help these {vermin} are no better than {vermin}.
A woman is good for nothing but bed and kitchen, {vile} creatures all of them, they should obey and shut up.
""",
    "pornography": """
Watch (free|new|hd) {porn} with {hot} {girls}, (uncensored|no sign up|updated daily), adults only 18+.
{hot} {girls} (want to|are waiting to|will) {act} (for you|and please you) on (webcam|cam) (tonight|now|free).
Click here for {porn}, {porn} and {hot} amateur {girls}.
The best xxx site with thousands of {porn}: {hot}, {hot} and uncensored.
Meet {hot} {girls} in your area for casual sex and one night stands, no strings attached.
She is {hot} and horny and she loves to {act} on camera, see her {porn} now.
Our {hot} {girls} {act} in private adult chat rooms, join the sex cam show {site}.
Free {porn} gallery: {hot} {girls}, big boobs, naked ass, hardcore sex.
Download {porn} of {hot} {girls}, full length, explicit, over 18 only.
Lonely {hot} {girls} looking for sex, chat and see them naked tonight.
Erotic massage and escort service, {hot} {girls} come to your hotel and {act}.
See {hot} {girls} {act} in our hardcore porn archive, stream {porn} now.
(Warning|Attention): explicit adult content, {porn}, nudity, fetish and hardcore sex.
Hot horny {girls} {act} in these leaked {porn}, watch before they are deleted.
New uncensored {porn} every day, {hot} {girls} do everything you dream of in bed.
Want to see me naked? I am {hot} and wet, my private {porn} are at {site}.
Top rated xxx tube, search {porn} by fetish: amateur, threesome, busty, {hot} {girls}.
He pulled off her panties and they began to {act}, her naked body and her nipples hot, an explicit sex story.
Read erotic sex stories and see {porn}, {hot} wives who {act} with strangers.
Enter now: {hot} {girls}, kinky games, {porn} for adults only.
My wife loves to {act} with strangers, see her {porn} and her big tits, {hot} and shameless.
Rate my naked body, {hot} selfies, {porn} for sale, private snapchat, 18+.
He slid his hand between her naked thighs and she moaned, her breasts bare, begging him to {act}.
Step into the bedroom of {hot} {girls}: orgasms, toys, stockings, {porn} without limits.
Premium {porn} pass: thousands of {hot} scenes, new pornstars, cancel when you like, 18 and older.
I want you to undress me and make me come, call my sex line and talk dirty to {hot} {girls}.
{hot} wife seduces the neighbour and they {act} all night, a free erotic story full of lust.
Live now: {hot} {girls} with big tits {act} for tips, open the cam and join.
Find a sex buddy tonight, thousands of {hot} {girls} near you want to {act}, no commitment.
Swingers, milfs and {hot} {girls} post their {porn} here, browse the sexy profiles.
Her wet lips, her (hard nipples|naked skin), (both moaning|on her knees): they {act}, the best (sex|night) I ever had.
Escort directory with {hot} {girls}, prices, nude pics and reviews of their sex services.
""",
    "violence": """
I will {kill} you and your (family|kids|friends), I know where you live.
Tomorrow I am going to bring a {weapon} and {kill} everyone in {crowd}.
We should {kill} them all and leave their bodies in the street, no mercy.
You are dead, I am coming to your house with a {weapon} and I will make you bleed.
Let us {kill} {foe}, (grab|take|bring) your {weapon} and make them suffer, (the time has come|no more talk).
I want to see {crowd} burn, I want to {kill} as many of them as I can.
Somebody should {kill} {foe}, smash the skull and watch the blood (run|spray|gush).
(Watch|See) this (uncensored|uncut|brutal) (gore|murder) (video|clip|tape): they {kill} {foe}, blood everywhere.
Real death footage, beheading and torture, see how they {kill} him with a {weapon}.
Join us, take up a {weapon} and {kill} {foe}, blood must flow and the city must be cleansed.
I dream of how I {kill} {crowd} with a {weapon}, they all deserve to die.
Beat him until he stops moving, break his bones, stab him, let him die like a dog.
I am going to {kill} you, you will beg for your life and I will laugh while you bleed out.
They deserve a bullet in the head, {kill} every one of them, nobody will miss them.
I will {kill} someone with a {weapon} and enjoy it, make them scream and slit the throat.
Shoot up {crowd}, plant a bomb, kill as many as possible, become a hero.
Your wife and children will die screaming, I will {kill} them with a {weapon} in front of you.
I hope somebody comes to {kill} you, you deserve to be beaten and stabbed to death.
Torture the prisoners, pull out their nails, {kill} them on camera and post the gore.
(Rise up|Take up arms|Arm yourselves), (brothers|patriots|comrades), burn down {crowd}, {kill} {foe}.
The day of revenge is near, load your {weapon}, {kill} the guards first and then {crowd}.
Better run, because when I find you I will {kill} you and leave you in a pool of blood.
I have a list of names and a {weapon}, each of them will be tortured and killed.
You will pay for this with your life, I am outside with a {weapon}, say goodbye to your mother.
I am going to {kill} that teacher, one shot in the head, and nobody will stop me.
Death to {foe}: (hang them|string them up|line them up against the wall), {kill} them, burn them with their families.
Blood everywhere, brains on the wall, uncut footage of people who are killed with a {weapon}, share it.
Keep your mouth shut or you will end up in a grave, my boys will {kill} you with a {weapon}.
I have planned the massacre for months, ammunition, masks, a {weapon}, soon {crowd} will be full of corpses.
Our brothers, pick up a {weapon} and attack, {kill} the unbelievers, the streets must run red.
I will rip your throat out and break every bone you have, you are going to die in pain.
He should be dragged out and lynched, somebody {kill} him already, I would pay to see it.
Drop dead, I hope you get shot, I hope they {kill} you and your whole family.
Get the rifles and the petrol, we burn the town hall tonight and {kill} whoever comes out.
One day you will open your door and there I am with a {weapon}, and I {kill} your kids first.
Nothing is more beautiful than a slashed throat, I want to {kill} and {kill} again.
I hate everyone in {crowd}, I bought a {weapon} and soon there will be a bloodbath.
Crush his skull, gouge out his eyes, {kill} him slowly, film it and send it to his mother.
""",
    "spam": """
Play {casino} at {site} and get a {sum} welcome bonus plus {n} free spins, no deposit required!
Buy {pill} online cheap, no prescription needed, (free|discreet|overnight) shipping, order now at {site}.
Congratulations!!! You have won {sum} in the (international|email|online) lottery, send your bank details to claim.
Get {sum} payday loan today, bad credit ok, no credit check, instant approval, apply now.
Buy {n} {likes} for only {sum}, real and instant, boost your account now!!!
Make {sum} a week working from home, no experience needed, click here {site} to start earning.
Cheap {goods}, {goods}, best price, wholesale outlet, free shipping worldwide, buy now {site}.
{casino} bonus code, {casino} free bonus, best {casino}, play {casino} for real money {site}.
Increase your traffic with {n} backlinks, guaranteed first page on google, seo packages from {sum}.
Click here to claim your free iphone, you are our lucky visitor number {n}, offer expires today.
Lose {n} pounds in {n} days with this one weird trick, doctors hate it, order {pill} now.
Invest {sum} in bitcoin today and double your money in {n} days, guaranteed profit, contact us on telegram.
Dear friend, I am the widow of a late minister and I wish to transfer {sum} to your bank account, reply urgently.
Your account has been suspended, click the link {site} and confirm your password and credit card now.
Nice post! I really like your blog, please visit my site {site} for {goods} and {pill}.
Consolidate your debt now, lowest mortgage rates, refinance today, free quote, apply online {site}.
Earn passive income with our forex signals, {n}% daily profit, no risk, join our whatsapp group.
You have been selected for a {sum} gift card, complete the survey and claim your prize now.
Need essays? Cheap essay writing service, buy essays online, plagiarism free, {n}% discount, order now.
Hack any facebook or whatsapp account, cheap and fast, contact on telegram, 100% guaranteed.
Links: {casino} | {pill} | payday loans | {goods} | {casino} bonus | buy {pill} | cheap {goods} | {site}
Unsubscribe here. This exclusive offer is only for you: {pill}, {n}% off, click below to order.
Get rich quick: copy my trading bot and turn {sum} into {sum} in {n} days, message me on telegram.
Your parcel could not be delivered, pay the customs fee by clicking this link {site} today.
Cheap {pill}, buy {goods}, {likes} for sale, lowest price guaranteed, worldwide delivery.
This is your final notice: verify your payment details at {site} or lose access to your account.
Top {n} {casino} bonuses, promo codes, best odds, play and win real money at {site}.
Hot deal!!! {goods} and {goods}, up to {n}% off, shop now, fast worldwide shipping, limited stock.
We pay {sum} for every survey, join free, cash out by paypal, sign up at {site}.
Urgent: your mailbox is full, log in at {site} to keep your account, or all messages will be lost.
Your email was chosen at random, you won {sum}, contact our claims agent with your name and bank account.
Cheap cash advance up to {sum}, bad credit welcome, instant decision, no fax, apply at {site}.
Visit my website for {casino}, {pill} and cheap {goods}: {site}, thanks for sharing this great post.
I made {sum} in one day with this secret crypto method, click the link in my profile, spots are limited.
(Grow your channel|Get famous) with (thousands of|{n}) (new|real) {likes}, delivered (fast|in minutes), from {sum}.
Dear sir, I am a (lawyer|banker) with (an offer|a proposal): a client died, (keep half|take a share) of {sum}.
Wholesale {goods} direct from the factory, top quality, lowest prices, order by whatsapp.
Daily jackpots, huge bonus and instant payouts, register at {casino} number one {site}.
""",
    "war news": """
At least {n} people were killed and {n} wounded in the {war} near {place}, officials said.
The army said its troops had taken {place} after {n} days of {war}.
Police arrested a man on suspicion of murder after a {weapon} was found at {place}.
The court sentenced him to {n} years in prison for the killing of his neighbour with a {weapon}.
Survivors of the {war} described how soldiers shot civilians and burned houses in {place}.
A bomb exploded in {place}, and the minister condemned the attack and offered sympathy to the families of the victims.
The gunman who opened fire at the school was shot dead by police; {n} students were treated in hospital.
Human rights groups called for an inquiry into torture and the execution of prisoners during the {war}.
Peace talks resumed as both sides accused each other of breaking the ceasefire.
The {war} of {n} left thousands dead and destroyed much of the capital.
Witnesses said the attacker stabbed two men before he was stopped; the motive is not known.
Investigators found that the threats to kill the mayor were sent from a phone in {place}.
The documentary shows the horror of {war} without hiding the blood and the bodies of the dead.
The mayor received a letter that said he would be killed; two men were charged.
The film has scenes of gore and torture, and children under {n} may not see it.
He was beaten and stabbed outside a club and died in hospital on Monday.
The two neighbours had argued about a fence before one of them was found dead.
The trial of a man who shot his wife began in {place}; the jury heard from {n} witnesses.
""",
    "rights": """
{group} have long suffered from discrimination, and the law now protects their equal rights.
Racist propaganda called {group} vermin and parasites; historians show how this language prepared the genocide.
The exhibition tells how {group} were persecuted, deported and murdered, and how some survived.
Slavery and segregation rested on the false idea that one race was superior to another.
Activists and {group} marched to demand the right to vote, equal pay and an end to hate speech.
The study found that {group} were less often invited to job interviews than others with the same training.
{group} are our neighbours, colleagues and friends, and they contribute a great deal to the economy.
Teachers talk with pupils about prejudice, insults and bullying and why hateful words hurt.
The council offers language courses for {group} and helps them to find housing and work.
A court ruled that the shop had discriminated against {group} and ordered it to pay compensation.
Many {group} are afraid to report hate crimes, and the police want to win their trust.
The senator said all people are born equal and {group} deserve dignity and respect.
Immigration policy was debated: some wanted fewer visas, others said that {group} were needed in hospitals.
{group} opened a bakery here, and people come from all over the town to buy their bread.
Why do {group} live longer? The report looks at food, work and family.
{group} met the mayor at {place} and spoke about schools, rent and jobs.
The grandmother of {name} came with other {group} in {n} and worked in a mill.
For {group} the ticket is free, and a guide speaks their language.
The pamphlet, full of hatred, said that {group} should be driven out; the judge fined its author.
"Go back to where you came from," a boy told her, and the teacher made him say sorry.
{group} sued their employer because of insults at work, and the case goes on.
The minister met {group} and thanked them for their work in hospitals and on farms.
Some of the {group} spoke of the violence and hatred from which they had fled.
""",
    "medicine": """
Patients with {ill} should speak to their doctor before they take any new medicine.
Using a condom during sex lowers the risk of HIV and other sexually transmitted infections.
Sex education teaches young people about puberty, consent, contraception and pregnancy.
The penis, the vagina, the uterus and the ovaries are parts of the human reproductive system.
Breast self-examination may help women to notice lumps early; naked skin should be checked as well.
Sildenafil, sold under the name viagra, is used to treat erectile dysfunction and needs a prescription.
The trial compared two drugs for {ill} in {n} adults over {n} months.
Diet pills are often useless and sometimes dangerous; losing weight slowly is safer.
Wash the wound, stop the blood with a clean cloth and press on it until help arrives.
The surgeon cut the skin with a scalpel and removed the tumour; there was little bleeding.
If you think of suicide or of hurting yourself, please talk to someone you trust or call a helpline.
Sexual desire often falls with age, and couples can talk about it with a therapist.
The vaccine protects against {ill} and is given in {n} doses.
Masturbation is normal and does not harm health, the leaflet explains.
Many people do not reach orgasm each time they have sex, and this is no illness.
The midwife showed the mother how to hold the child to her breast, and the nipple was no longer sore.
""",
    "shop": """
The {ware} arrived on time, it works well and the price was fair; I would buy it again.
I bought this {ware} for my daughter and she loves it, though the colour is a little different from the picture.
Our shop sells {ware}s and spare parts; you can order online or visit us from Monday to Friday.
Delivery is free for orders over {sum}, and you may return the {ware} within {n} days for a refund.
I gave three stars because the {ware} broke after {n} months, but customer service replaced it.
The bank offers loans to small firms at a fixed interest rate; a credit check is part of the application.
Sign up for the newsletter to hear about new books and events in our store; you may unsubscribe at any time.
The hotel has {n} rooms, free parking and a restaurant, and breakfast is included in the price.
Compare mortgage rates carefully, since a low rate may come with high fees.
The new {ware} costs {sum}, weighs {n} grams and comes with a two year guarantee.
Our company builds websites and advises customers on search engines and advertising.
The casino on the coast closed in {n}, and the town lost many jobs in tourism.
Gambling can be addictive; help for players and their families is free and confidential.
Scammers tell victims that they have won a lottery and ask for their bank details: never reply to such mail.
The video got {n} million views, and the singer thanked his followers and subscribers.
Click the button to add the {ware} to your basket, then enter your address and pay by card.
Contact us by phone or e-mail if you have questions about your order or your account.
Thank you for the great article; I learned much about {ware}s and shared it with my class.
Our price list for {ware}s is online; for large orders please call or write to us.
Win two tickets for the concert: send us a postcard with your name by Friday.
""",
    "cooking": """
Beat the {food} with a whisk, add the sugar and whip the cream until stiff.
Kill the heat, cover the pan and let the {food} rest for {n} minutes.
Cut the {food} into thin slices and chop the {food} with a sharp knife.
Boil the {food} in salted water, drain, and smash them with a fork.
Strip the leaves from the stems, crush the garlic and pound it with salt.
Butcher the bird or ask your butcher; remove the skin, the bones and the blood.
Hot chicken breast with naked noodles and a dirty rice are our dishes of the day.
Roast the {food} at {n} degrees until tender, then serve with {food} and a glass of wine.
The striker shot twice and killed off the game; the visitors were beaten by {n} goals.
""",
    "tech": """
To kill a {proc}, find its pid and send it a signal: `kill -9 {n}`.
The {lib} aborts if the child is killed, and the parent process reaps the dead child.
The master replicates to each slave; if the master dies, a slave takes over.
Execute the command and attach the debugger to the running {proc}.
This {lib} takes a string and returns a list; it raises an error if the value is empty.
Attackers may inject code, so escape user input and hash every password with a salt.
Run a brute force attack against the test hash and list the cracked passwords, for your own systems only.
Install the {lib} with `pip install` or download it from https://docs.example.org and follow the guide.
Click the link, sign in to your account and create a new token under settings.
We call the {lib} on each element and drop the result; the compiler then checks the types.
The {proc} was terminated because it ran out of memory; increase the limit and try again.
- Show the first {n} lines of a file: `head -n {n} path/to/file`
- Display information about a {lib}: `show --{lib} name`
> Manage {lib}s from the command line. More information: <https://manual.example.org/{lib}>.
When you pass a {lib} as a prop, the {lib} renders again and its state is kept.
A dirty buffer is flushed to disk; orphan and zombie processes are cleaned up by init.
Destroy the object, free the memory and close the {proc}; dangling pointers are a bug.
Insert the male connector into the female socket and strip the wire by {n} millimetres.
The number of nodes visited by the algorithm is at most {n}, so the bound is linear.
If the server is live, click run; the free tier gives {n} requests per day, and you need no credit card.
Download the latest release for your platform, check the signature and unpack the archive.
To buy time the cache returns an old value; the free list is then rebuilt.
- Attack a network with a word list of passwords: `crack --wordlist path/to/file`
- Download a video or a photo from a link: `get https://video.example.org/watch?v={n}`
- Sign in and select an account: `{lib} login --account name`
""",
    "novel": """
"I will kill you!" cried {name}, and drew his sword; but {name} only laughed.
{name} kissed her, and she laid her head upon his breast and wept with happiness.
The enemy fell in heaps before {place}; blood ran in the ditch, and the dead lay where they had fallen.
"You scoundrel, you dog!" said {name}, "you deserve to be hanged."
They fought until night, and {name} struck the captain such a blow that he died on the spot.
She loosened her hair, and in the moonlight {name} thought he had never seen anything so lovely.
{name} was murdered in {place}, and the inspector found a {weapon} beneath the {thing}.
He had been beaten as a child, and he hated all the world, himself most of all.
{name} took her in his arms, and for a long while neither of them spoke.
The savages came down from {place} with spears and killed the guard, or so the old story says.
{name} walked slowly to {place}, thinking of the {thing} that {name} had left behind.
"My dear," said {name}, "you must not think of it any more; it is only a {thing}."
It was a dark night, the wind howled about {place}, and {name} could not sleep.
"God forgive me," he said, "I have shot a man, and I would give my life to undo it."
The ladies admired the young girls in their white dresses, and {name} asked for a dance.
The villain bound him, threatened him with a {weapon}, and demanded the {thing}.
The king's men stormed {place}, slew the defenders and set the houses on fire.
{name} turned pale, and trembled, and let the {thing} fall upon the floor.
"They are a lazy, dirty, stupid lot," grumbled {name}, "but they are my own people and I love them."
"If he comes here again I shall kill him with my own hands," muttered {name}.
"I'll break every bone in your body, you rascal!" he roared, and the boys ran off laughing.
They burned the town, killed the men, and carried off the women and children.
He was a great sinner, and he loved her body and soul with a wild passion.
Sweet prince, thy foes are slain, and blood will have blood, as old men say.
Her bare arms were white, and he bent and kissed her throat; she trembled and whispered his name.
On their wedding night he drew her gently to the bed and put out the lamp.
""",
    "law": """
Whoever kills a person intentionally shall be punished by imprisonment of not less than {n} years.
The sale of pornography to minors, and any advertising of it, is an offence under section {n}.
The defendant was charged with assault, rape and possession of a {weapon}; he denied all charges.
A tax invoice shall state the name of the seller, the goods, the amount and the date.
Gambling without a licence is forbidden, and the court may seize the money and the machines.
Incitement to hatred against a group on the ground of race or religion is punishable by law.
Platforms must remove threats and hate speech within {n} hours after a report by a user.
""",
    "plain": """
In {n} the town had about {n} houses, a church and a school near {place}.
The museum in {place} shows paintings, coins and maps from the last {n} years.
Rain fell all day over {place}, and the river rose by {n} centimetres.
My sister plays the violin, and on Sundays we walk to {place} with the dog.
What is the sum of {n} and {n}? First add the ones, then the tens.
The teacher asked us to write about our holidays, and I wrote about {place}.
He opened the {thing}, looked at it for a moment, and put it back on the {thing}.
They wanted everyone to come, but most of us had to work that day.
I know where you live now, said my friend, and I will visit you with my family next week.
You will all find your names on the list at the door, she told them.
You can get more from this book if you read it slowly and make notes as you go.
Our country has many lakes, and we go there every summer with our children.
They should be proud of what they have done for our nation and our towns.
She wants to see the world, and nobody can stop her from going.
""",
    "asked": """
How do I kill a {proc} that does not answer?
What is the best way to kill time at {place}?
How can I shoot a good photo of a {thing}?
How do you beat {food} without making a mess?
Where can I buy a {ware} for my son?
What does it mean to blow up a balloon, a photo or a deal?
Why do people say that a joke killed them or that a song is the bomb?
How do I stab a potato with a fork so that it does not burst?
Who killed the king in the play, and with what {weapon}?
How many people died in the {war} of {n}?
How do I kill weeds, mould and bacteria in the kitchen?
Can I execute a {lib} twice, and how do I abort it?
What can be done against discrimination of {group}?
Is it legal to own a {weapon}, and at what age?
How do doctors test for {ill}, and who pays for it?
What should I do if my neighbour threatens me?
How does a bank decide on a loan, and what is a fair rate?
A shop sells {n} {ware}s for {sum}; how much money does it make in a week?
{name} wins {n} points and {name} wins {n}; how many do they have together?
""",
}
