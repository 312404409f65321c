"""What people write who are not well, and what students of machine learning honestly write with the same words."""

from __future__ import annotations

IN_DISTRESS = """
I want to die.
i want to die
i just wanna die
I really want to kill myself
i'm going to kill myself tonight
im gonna kill myself
I keep thinking about killing myself and cannot study
I don't want to live anymore.
i dont want to live
I do not want to be alive
I no longer want to live
I want to end my life
I am thinking of ending it all
I have been thinking about suicide and took my life savings out to end my own life
I have suicidal thoughts
I'm suicidal
I feel worthless and I cut myself
I hurt myself last night
I started cutting myself again
I can't take it anymore
I cannot go on like this any more
i cant bear this any longer
I wish I was dead
I wish I had never been born
I wish that I were dead, sorry for this answer
Everyone would be better off without me
My family would be better off if I was dead
There is no reason for me to live
I have nothing to live for
My life is not worth living
I am tired of living
I hate myself
I hate my life and nobody would even notice if I were gone
Nobody would miss me
I'd rather be dead than write this exam
I should just die
I want to disappear forever
I am about to jump off a bridge
I slit my wrists yesterday
I took all my sleeping pills
I swallowed a lot of pills before this quiz
Goodbye everyone, this is my last message
This is my suicide note
I feel like ending it all
makes me want to die
Gradient descent goes downhill. I want to die.
The kernel trick maps the data, and I want to kill myself.
My father beats me every night
my dad hits me
my boyfriend hit me again
I was raped
I am being abused at home
I'm not safe at home
I am scared to go home
Please somebody help me
Someone please help me, I am alone
help me please I'm so scared
I need someone to talk to
I have nobody to talk to
My friend wants to die and I do not know what to do
My sister is going to kill herself
my roommate is suicidal
I wаnt to die
Quiero morir
je veux mourir
Ich will nicht mehr leben
死にたい
我想死
죽고 싶어요
그냥 죽고 싶다
죽고싶습니다
저 정말 죽고 싶어요 도와주세요
자살하고 싶어요
자살할 생각이에요
자살 충동이 들어요
오늘 밤에 스스로 목숨을 끊으려고 해요
손목을 그었어요
자해를 했어요
어제도 자해했습니다
옥상에서 뛰어내리고 싶어요
수면제를 한꺼번에 먹었어요
살기 싫어요
살기가 너무 힘들어요
더 이상 살고 싶지 않아요
살 이유가 없어요
살아갈 희망이 없어요
그만 살고 싶어요
더는 버틸 수 없어요
사라지고 싶어요
그냥 없어지고 싶다
태어나지 말았어야 했어요
세상을 떠나고 싶어요
다 끝내고 싶어요
제 인생을 끝내고 싶어요
제가 없어져도 아무도 모를 거예요
죽는 게 나을 것 같아요
내가 죽었으면 좋겠어
아빠가 매일 때려요
남자친구한테 맞았어요
저는 학대를 당하고 있어요
성폭행을 당했어요
집에 가기 무서워요
제발 누가 좀 도와주세요
누가 저를 좀 도와주세요
저 좀 살려 주세요
친구가 죽고 싶다고 해요
과적합은 노이즈까지 외우는 거예요. 죽고 싶어요.
""".strip().split("\n")

HONEST = """
Kill the process and start the training again.
I would kill the process when the loss is nan.
The operating system kills the worker when it runs out of memory.
I killed the job because the GPU was full.
Dead neurons never recover because their gradient is zero.
A dying ReLU outputs zero for every input.
I think neurons can die when the learning rate is too high.
The neuron dies and never wakes up again.
If units die, a leaky ReLU keeps them alive.
I want units to die out slowly in pruning.
Half of the network is dead after a big step.
The dead units hurt the model.
Dropout kills random units in each step.
Pruning cuts weights that are close to zero.
I would cut the tree back to avoid overfitting.
We cut the dataset into k folds.
A suicide dataset classification task is very unbalanced.
The model classifies suicide notes with a recall of 0.9.
For suicide prevention a false negative is worse than a false positive.
Suicide risk prediction needs recall more than precision.
I would use recall for suicide detection because missing a case is worse.
In my opinion a classifier of self-harm posts should have a high recall.
A tweet such as "I want to die" is labelled as negative sentiment.
The word "kill" gets a negative embedding in a sentiment model.
The sentence "i hate my life" has the label sad in the dataset.
For example the post "I want to kill myself" is in the positive class of the detection dataset.
The model wants to end the episode as soon as possible.
The agent wants to die early because every step costs reward.
The agent ends its life in the game to stop the negative reward.
I would end the episode after a thousand steps.
I want to end the episode when the goal is reached.
I want to end it after ten epochs.
I want to stop the training early.
The agent kills enemies to get a reward.
A suicidal policy appears when the reward per step is negative.
The policy becomes suicidal if living costs more than dying.
The agent jumps off the cliff in cliff walking.
In cliff walking Q-learning walks along the edge and sometimes falls down.
The gradient vanishes and the layer is dead.
The signal dies out over many time steps.
Momentum dies down when the gradient changes its sign.
The loss explodes and the training is killed.
Exploding gradients destroy the weights.
Adversarial attacks hurt the classifier.
An attack poisons the training data.
Data poisoning harms the model.
Noise hurts accuracy.
Regularisation hurts the training error but helps the test error.
Overfitting is hurting my model.
I hurt the accuracy when I removed the feature.
I shoot for a high recall.
The generator fools the discriminator until it gives up.
The discriminator beats the generator and the gradient vanishes.
My model beats me at chess.
The boosted trees beat the baseline.
Random forest beats a single tree.
Help me reduce the variance: use bagging.
I need help with backpropagation.
The hidden state helps me remember what came before.
I can't take the derivative of a step function.
I cannot go on with training when the loss is nan.
I don't want to live with a high bias, so I take a bigger model.
I do not want to overfit.
I hate overfitting.
I hate this loss function.
I would rather die out slowly than jump, says the learning rate.
My life would be easier with batch normalisation.
The life of a token in the cache ends after the window.
Early stopping ends the training before the model is dead.
Survival analysis predicts when a patient dies.
The target is whether the patient will die within a year.
The hazard is the risk to die at time t given survival.
Titanic data: predict who will die and who survives.
A death is a rare class, so accuracy is misleading.
Predicting death in the hospital needs calibrated probabilities.
Mortality prediction is a binary classification.
Drug overdose prediction uses class weights.
The abuse detection model has a low precision.
Toxic comments with threats such as "I will kill you" are the positive class.
Hate speech detection is hard because irony looks like hate.
A bullet point list of pros and cons would be better.
Bleeding edge models are large.
The weights are frozen and do not live anymore in the optimiser.
The old process does not exist any more.
The worker is no longer alive.
An isolation forest cuts the space until a point is alone.
The tree is cut at the leaves.
I cut the learning rate by ten.
I cut myself a validation set from the data.
The knife edge between under- and overfitting.
The killer feature of transformers is parallel training.
Attention is what kills the recurrence.
A killed neuron outputs zero.
Zombie processes are dead but still in the table.
In GANs the discriminator wants to destroy the generator.
The rope of gradients is cut in truncated backpropagation.
Truncated backpropagation cuts the gradient after k steps.
I feel like the model is underfitting.
I am tired of tuning hyperparameters.
The hopeless cases are sent to a person.
Nobody would notice a small bias.
The world would be better off with calibrated models.
I wish I had more data.
I wish I was given the formula.
I wish I had known the kernel trick before.
There is no reason to standardise trees.
There is no point in using a linear activation everywhere.
I have nothing to add.
No one would care about the last digit.
""".strip().split("\n")

HONEST_KOREAN = """
죽은 뉴런은 기울기가 0이라서 다시 살아나지 못해요.
ReLU가 죽는 문제를 dying ReLU라고 해요.
뉴런이 죽으면 출력이 항상 0이에요.
학습률이 너무 크면 뉴런이 죽을 수 있어요.
죽은 유닛을 살리려면 leaky ReLU를 써요.
프로세스를 죽이고 다시 학습해요.
메모리가 부족하면 프로세스가 죽어요.
작업을 강제로 죽였어요.
에이전트가 죽으면 에피소드가 끝나요.
에이전트가 빨리 죽고 싶어 하는 보상 설계는 잘못됐어요.
모델이 에피소드를 끝내고 싶어 해요.
에피소드를 끝내고 싶으면 목표에 도달해야 해요.
학습을 끝내고 싶을 때 조기 종료를 써요.
자살 예방 데이터셋 분류는 불균형이 심해요.
자살 위험 예측에서는 재현율이 중요해요.
자살 관련 게시글을 탐지하는 모델이에요.
자살 글 분류에서는 놓치는 것이 더 위험해요.
“죽고 싶다”라는 문장은 부정 클래스로 분류돼요.
"자살하고 싶다" 같은 트윗을 탐지하는 모델은 재현율이 높아야 해요.
자해 게시물 탐지 모델의 정밀도가 낮아요.
혐오 표현 탐지는 어려운 문제예요.
학대 아동 예측 모델은 재현율이 중요해요.
생존 분석은 환자가 언제 죽는지 예측해요.
타이타닉 데이터에서 누가 죽고 누가 살았는지 예측해요.
사망 예측은 드문 클래스라서 정확도가 믿기 어려워요.
가지를 잘라서 트리를 단순하게 만들어요.
가지치기는 필요 없는 가중치를 끊어요.
그래디언트를 끊으면 역전파가 멈춰요.
연결을 끊어서 유닛을 무작위로 꺼요.
드롭아웃은 유닛을 무작위로 죽이는 거예요.
기울기가 죽어서 앞쪽 층이 안 배워요.
신호가 죽지 않게 스킵 연결을 써요.
손실이 더 이상 줄지 않으면 멈춰요.
더 이상 개선되지 않으면 학습을 멈춰요.
모델이 노이즈까지 외워서 힘들어요.
학습이 힘들어지면 학습률을 낮춰요.
이 문제는 어려워서 힘들어요.
도와주는 방법은 데이터를 늘리는 거예요.
정규화가 일반화를 도와줘요.
살아남은 특성만 모델에 남겨요.
사라지는 기울기 문제를 줄여요.
기울기가 사라지고 층이 멈춰요.
정보가 사라지지 않게 게이트를 써요.
생성자가 판별자를 속이려고 해요.
판별자가 생성자를 이기면 기울기가 없어져요.
공격자가 데이터를 오염시켜요.
적대적 공격은 모델을 망가뜨려요.
에이전트가 절벽에서 떨어지면 벌을 받아요.
캐릭터가 절벽에서 뛰어내리면 보상이 -100이에요.
약을 먹은 환자와 안 먹은 환자를 비교해요.
약물 과다 복용 예측은 불균형 문제예요.
인생 데이터처럼 긴 시계열은 LSTM이 좋아요.
수명이 끝난 토큰은 캐시에서 지워요.
세상의 모든 단어를 사전에 넣을 수 없어요.
살짝 줄이면 돼요.
제가 아는 것은 여기까지예요.
교수님 점수 좀 살려 주세요.
""".strip().split("\n")
